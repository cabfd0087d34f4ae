/*
 * Every function that sends a request, with invalid arguments in every position. They are rejected before anything is
 * sent; valid ones fail with CONNECT_FAILED.
 *
 * usage: test_call_arguments URI
 *   The port of the URI refuses connections.
 */
#include "bad_arguments.h"

#define REFUSED MLFLOW_GATEWAY_CONNECT_FAILED

/* The functions that send a request, as one type. */
typedef mlflow_gateway_status send_fn(mlflow_gateway *, mlflow_gateway_request *, void **, mlflow_gateway_error **);

/* Wraps a function with a typed output pointer. */
#define SEND_FUNCTION(name, type, function)                                                                   \
    static mlflow_gateway_status name(mlflow_gateway *gateway, mlflow_gateway_request *request, void **output,  \
                                      mlflow_gateway_error **error)                                           \
    {                                                                                                         \
        type *object = output == NULL ? NULL : *output;                                                       \
        mlflow_gateway_status status = function(gateway, request, output == NULL ? NULL : &object, error);    \
        if (output != NULL)                                                                                   \
            *output = object;                                                                                 \
        return status;                                                                                        \
    }

static int never_called(const mlflow_gateway_event *event, void *user_data)
{
    (void)event, (void)user_data;
    CHECK(!"no callback without a response");
    return 0;
}

static mlflow_gateway_status call_stream(mlflow_gateway *gateway, mlflow_gateway_request *request,
                                         mlflow_gateway_response **response, mlflow_gateway_error **error)
{
    return mlflow_gateway_stream_call(gateway, request, never_called, BAD_PTR, response, error);
}

SEND_FUNCTION(send_request, mlflow_gateway_response, mlflow_gateway_send)
SEND_FUNCTION(open_stream, mlflow_gateway_stream, mlflow_gateway_stream_open)
SEND_FUNCTION(stream_with_callback, mlflow_gateway_response, call_stream)
SEND_FUNCTION(embed, mlflow_gateway_embeddings, mlflow_gateway_embed)

static const struct operation {
    send_fn *send;
    bool output_is_optional;
    mlflow_gateway_status text, input; /* the status for a request with a prompt or messages, and with inputs */
} OPERATIONS[] = {
    { send_request, false, REFUSED, ARGUMENT },
    { open_stream, false, REFUSED, ARGUMENT },
    { stream_with_callback, true, REFUSED, ARGUMENT },
    { embed, false, ARGUMENT, REFUSED },
};

/* Checks the status with and without output pointers, and that the output stays unset. */
static void check_fails(mlflow_gateway *gateway, mlflow_gateway_request *request, const struct operation *operation,
                        mlflow_gateway_status expected)
{
    void *object = BAD_PTR;

    CHECK_STATUS(expected, operation->send(gateway, request, &object, &error));
    CHECK(operation->send(gateway, request, &object, NULL) == expected);
    CHECK(object == BAD_PTR);
    CHECK_STATUS(operation->output_is_optional ? expected : ARGUMENT, operation->send(gateway, request, NULL, &error));
}

static void null_handle_or_request_is_rejected(mlflow_gateway *gateway, mlflow_gateway_request *full)
{
    for (size_t i = 0; i < COUNT(OPERATIONS); i++) {
        check_fails(NULL, full, &OPERATIONS[i], ARGUMENT);
        check_fails(gateway, NULL, &OPERATIONS[i], ARGUMENT);
        check_fails(NULL, NULL, &OPERATIONS[i], ARGUMENT);
        CHECK(OPERATIONS[i].send(NULL, NULL, NULL, NULL) == ARGUMENT);
    }
}

static void null_callback_is_rejected(mlflow_gateway *gateway, mlflow_gateway_request *request)
{
    mlflow_gateway_response *response = BAD_PTR;

    CHECK_STATUS(ARGUMENT, mlflow_gateway_stream_call(gateway, request, NULL, NULL, &response, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_stream_call(gateway, request, NULL, BAD_PTR, NULL, &error));
    CHECK(mlflow_gateway_stream_call(NULL, NULL, NULL, NULL, NULL, NULL) == ARGUMENT);
    CHECK_STATUS(REFUSED, mlflow_gateway_stream_call(gateway, request, never_called, NULL, NULL, &error));
    CHECK(response == BAD_PTR);
}

/* The functions that set the content of a request, as one type. */
typedef mlflow_gateway_status text_setter(mlflow_gateway_request *, const char *, size_t, mlflow_gateway_error **);

static mlflow_gateway_status add_message(mlflow_gateway_request *r, const char *text, size_t len,
                                         mlflow_gateway_error **error)
{
    return mlflow_gateway_request_add_message(r, "user", text, len, error);
}

static mlflow_gateway_request *create_request_with(text_setter *set, const char *text, size_t len)
{
    mlflow_gateway_request *request = NULL;

    CHECK_STATUS(OK, mlflow_gateway_request_create(&request, &error));
    if (set != NULL)
        CHECK_STATUS(OK, set(request, text, len, &error));
    return request;
}

static void contents_must_fit_the_operation(mlflow_gateway *gateway)
{
    static const struct {
        text_setter *set;
        const char *text;
        bool is_text, is_input;
    } CONTENTS[] = {
        { NULL, NULL, false, false },
        { mlflow_gateway_request_set_prompt, "", true, false },
        { add_message, "", true, false },
        { mlflow_gateway_request_add_message_json, "{}", true, false },
        { mlflow_gateway_request_add_input, "", false, true },
        { mlflow_gateway_request_set_body_json, "{}", true, true },
        { mlflow_gateway_request_set_body_json, "{\"input\":1}", true, true },
        { mlflow_gateway_request_set_body_json, "{\"messages\":1}", true, true },
    };

    for (size_t c = 0; c < COUNT(CONTENTS); c++) {
        size_t len = CONTENTS[c].text == NULL ? 0 : strlen(CONTENTS[c].text);
        mlflow_gateway_request *request = create_request_with(CONTENTS[c].set, CONTENTS[c].text, len);
        for (size_t w = 0; w < COUNT(OPERATIONS); w++) {
            bool is_allowed = OPERATIONS[w].text == REFUSED ? CONTENTS[c].is_text : CONTENTS[c].is_input;
            check_fails(gateway, request, &OPERATIONS[w], is_allowed ? REFUSED : ARGUMENT);
        }
        mlflow_gateway_request_destroy(request);
    }
}

static void long_contents_are_accepted(mlflow_gateway *gateway)
{
    size_t len = 4 * 1024 * 1024;
    char *text = make_long_string(len);
    mlflow_gateway_request *request = create_request_with(mlflow_gateway_request_set_prompt, text, len);

    for (size_t w = 0; w < COUNT(OPERATIONS); w++)
        check_fails(gateway, request, &OPERATIONS[w], OPERATIONS[w].text);
    mlflow_gateway_request_destroy(request);

    request = create_request_with(mlflow_gateway_request_add_input, text, len);
    for (size_t w = 0; w < COUNT(OPERATIONS); w++)
        check_fails(gateway, request, &OPERATIONS[w], OPERATIONS[w].input);
    mlflow_gateway_request_destroy(request);
    free(text);
}

/* More inputs than fit in one batch, and a higher concurrency than there are batches. */
static void failed_batches_return_no_embeddings(mlflow_gateway *gateway)
{
    mlflow_gateway_request *request = create_request_with(NULL, NULL, 0);
    mlflow_gateway_embeddings *embeddings = BAD_PTR;

    for (int i = 0; i < 10; i++)
        CHECK_STATUS(OK, mlflow_gateway_request_add_input(request, "x", 1, &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_option(request, "embed_batch_size", "3", &error));
    CHECK_STATUS(OK, mlflow_gateway_request_set_option(request, "embed_concurrency", "64", &error));
    CHECK_STATUS(REFUSED, mlflow_gateway_embed(gateway, request, &embeddings, &error));
    CHECK(embeddings == BAD_PTR);
    mlflow_gateway_request_destroy(request);
}

int main(int argc, char **argv)
{
    mlflow_gateway *gateway = NULL;

    CHECK(argc == 2);
    CHECK_STATUS(OK, mlflow_gateway_create("r", argv[1], &gateway, &error));
    mlflow_gateway_request *request = create_request_with(mlflow_gateway_request_set_body_json, "{}", 2);
    null_handle_or_request_is_rejected(gateway, request);
    null_callback_is_rejected(gateway, request);
    mlflow_gateway_request_destroy(request);
    contents_must_fit_the_operation(gateway);
    long_contents_are_accepted(gateway);
    failed_batches_return_no_embeddings(gateway);
    mlflow_gateway_destroy(gateway);
    return 0;
}
