/* A request as the peers send it, for the programs that use this library's request objects. */
#ifndef COMPLETIONS_REQUEST_H
#define COMPLETIONS_REQUEST_H

#include <mlflow_ai_gateway.h>

void open_request(const char *url, mlflow_gateway **gateway, mlflow_gateway_request **request);

/* Ends the program unless the response has the text that the server sends. */
void check_text(const mlflow_gateway_response *response);

#endif
