set(fake_pq_functions PQconnectStartParams PQconnectPoll PQstatus PQsocket PQfinish PQerrorMessage PQsetnonblocking
    PQenterPipelineMode PQexitPipelineMode PQsendPrepare PQsendQueryPrepared PQsendQuery PQpipelineSync PQflush
    PQconsumeInput PQisBusy PQgetResult PQresultStatus PQntuples PQnfields PQgetvalue PQgetlength PQgetisnull
    PQresultErrorField PQresultErrorMessage PQcmdTuples PQclear)
