# Puts migrations/*.sql and statements/*.sql into the program as text (embedded.h). Included by the top CMakeLists.txt
# after assay_library(store ...); run as a script (-P) by the build when one of the files has changed.
if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(embedded ${CMAKE_BINARY_DIR}/coordinator_store_embedded.c)
  file(GLOB sql CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/migrations/*.sql ${CMAKE_CURRENT_LIST_DIR}/statements/*.sql)
  add_custom_command(OUTPUT ${embedded}
    COMMAND ${CMAKE_COMMAND} -D OUT=${embedded} -D DIR=${CMAKE_CURRENT_LIST_DIR} -P ${CMAKE_CURRENT_LIST_DIR}/embed.cmake
    DEPENDS ${sql} ${CMAKE_CURRENT_LIST_DIR}/embed.cmake VERBATIM)
  target_sources(assay_store PRIVATE ${embedded})
  return()
endif()

set(text "#include \"coordinator/store/embedded.h\"\n")
foreach(folder migrations statements)
  file(GLOB files ${DIR}/${folder}/*.sql)
  list(SORT files)
  set(table "")
  foreach(file ${files})
    get_filename_component(name ${file} NAME_WE)
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
    string(APPEND text "static const char ${folder}_${name}[] = {${bytes}0};\n")
    string(APPEND table "\t{\"${name}\", {${folder}_${name}, sizeof(${folder}_${name}) - 1}},\n")
  endforeach()
  string(APPEND text "const struct embedded_file embedded_${folder}[] = {\n${table}\t{0}};\n")
endforeach()
file(WRITE ${OUT} "${text}")
