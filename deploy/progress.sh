# Sourced by the scripts of this folder: a long command with its output in a log, and a sign of life while it runs.
#
#   watched LABEL LOG COMMAND...   status of COMMAND; on a terminal one line that changes each second, else a line
#                                  every 10 s. The command has no input, so nothing can ask a question.

# progress_line LABEL SECONDS LOG: what the log said last, cut to a line of a terminal.
progress_line() {
  local last
  last=$(tail -n 1 -- "$3" 2>/dev/null | tr -d '\r' | tr -c '[:print:]\n' '?' | cut -c1-$((64 - ${#1})))
  printf '   %s: %d s  %s' "$1" "$2" "$last"
}

# progress_tick LABEL LOG: until it is killed, or the script that started it is gone.
progress_tick() {
  local started=$SECONDS
  while sleep 1 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
    if [ -t 2 ] && [ "${TERM:-dumb}" != dumb ]; then
      printf '\r\033[K%s' "$(progress_line "$1" $((SECONDS - started)) "$2")" >&2
    elif [ $(((SECONDS - started) % 10)) = 0 ]; then
      printf '%s\n' "$(progress_line "$1" $((SECONDS - started)) "$2")" >&2
    fi
  done
}

watched() {
  local label=$1 watched_log=$2 status=0 ticker started=$SECONDS  # the command may be a function that has a `log`
  shift 2
  progress_tick "$label" "$watched_log" &
  ticker=$!
  : >"$watched_log"
  "$@" >>"$watched_log" 2>&1 </dev/null || status=$?
  # KILL: told to end in its first instant, a subshell of bash may still run the traps of the script.
  kill -KILL "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  if [ -t 2 ] && [ "${TERM:-dumb}" != dumb ]; then printf '\r\033[K' >&2; fi
  if [ $status = 0 ] && [ $((SECONDS - started)) -ge 2 ]; then echo "   $label: $((SECONDS - started)) s" >&2; fi
  return $status
}
