/*
 * Every function that sends a request, with what is wrong in every position. That is found before anything is sent; and
 * what is allowed gets as far as a port that refuses connections.
 *
 * usage: test_ask_arguments URI, of a port that refuses connections
 */
#include "bad_arguments.h"

#define REFUSED MLFLOW_GATEWAY_CONNECT_FAILED

/* All functions that send, as one type. The place is for whatever they give. */
typedef mlflow_gateway_status asker(mlflow_gateway *, mlflow_gateway_request *, void **, mlflow_gateway_error **);

/* A function that gives a pointer of its own type, as one that gives any. */
#define ASKER(name, type, function)                                                                         \
    static mlflow_gateway_status name(mlflow_gateway *gateway, mlflow_gateway_request *request, void **place, \
                                      mlflow_gateway_error **error)                                         \
    {                                                                                                       \
        type *given = place == NULL ? NULL : *place;                                                        \
        mlflow_gateway_status status = function(gateway, request, place == NULL ? NULL : &given, error);    \
        if (place != NULL)                                                                                  \
            *place = given;                                                                                 \
        return status;                                                                                      \
    }

static int never_called(const mlflow_gateway_event *event, void *user_data)
{
    (void)event, (void)user_data;
    CHECK(!"a callback, though there is no answer");
    return 0;
}

static mlflow_gateway_status call_back(mlflow_gateway *gateway, mlflow_gateway_request *request,
                                       mlflow_gateway_response **response, mlflow_gateway_error **error)
{
    return mlflow_gateway_stream_call(gateway, request, never_called, BAD_PTR, response, error);
}

ASKER(send_it, mlflow_gateway_response, mlflow_gateway_send)
ASKER(open_stream, mlflow_gateway_stream, mlflow_gateway_stream_open)
ASKER(stream_it, mlflow_gateway_response, call_back)
ASKER(embed_it, mlflow_gateway_embeddings, mlflow_gateway_embed)

static const struct way {
    asker *ask;
    bool place_is_optional;
    mlflow_gateway_status text, input; /* what comes of a request that holds such */
} WAYS[] = {
    { send_it, false, REFUSED, ARGUMENT },
    { open_stream, false, REFUSED, ARGUMENT },
    { stream_it, true, REFUSED, ARGUMENT },
    { embed_it, false, ARGUMENT, REFUSED },
};

/* Asks with and without the places for what is given, and checks that nothing is. */
static void check_fails(mlflow_gateway *gateway, mlflow_gateway_request *request, const struct way *way,
                        mlflow_gateway_status expected)
{
    void *given = BAD_PTR;

    CHECK_STATUS(expected, way->ask(gateway, request, &given, &error));
    CHECK(way->ask(gateway, request, &given, NULL) == expected);
    CHECK(given == BAD_PTR);
    CHECK_STATUS(way->place_is_optional ? expected : ARGUMENT, way->ask(gateway, request, NULL, &error));
}

static void check_null(mlflow_gateway *gateway, mlflow_gateway_request *full)
{
    for (size_t i = 0; i < COUNT(WAYS); i++) {
        check_fails(NULL, full, &WAYS[i], ARGUMENT);
        check_fails(gateway, NULL, &WAYS[i], ARGUMENT);
        check_fails(NULL, NULL, &WAYS[i], ARGUMENT);
        CHECK(WAYS[i].ask(NULL, NULL, NULL, NULL) == ARGUMENT);
    }
}

static void check_no_callback(mlflow_gateway *gateway, mlflow_gateway_request *request)
{
    mlflow_gateway_response *response = BAD_PTR;

    CHECK_STATUS(ARGUMENT, mlflow_gateway_stream_call(gateway, request, NULL, NULL, &response, &error));
    CHECK_STATUS(ARGUMENT, mlflow_gateway_stream_call(gateway, request, NULL, BAD_PTR, NULL, &error));
    CHECK(mlflow_gateway_stream_call(NULL, NULL, NULL, NULL, NULL, NULL) == ARGUMENT);
    CHECK_STATUS(REFUSED, mlflow_gateway_stream_call(gateway, request, never_called, NULL, NULL, &error));
    CHECK(response == BAD_PTR);
}

/* A request with one content, by the function that gives it. */
typedef mlflow_gateway_status text_setter(mlflow_gateway_request *, const char *, size_t, mlflow_gateway_error **);

static mlflow_gateway_status add_message(mlflow_gateway_request *r, const char *text, size_t len,
                                         mlflow_gateway_error **error)
{
    return mlflow_gateway_request_add_message(r, "user", text, len, error);
}

static mlflow_gateway_request *request_with(text_setter *set, const char *text, size_t len)
{
    mlflow_gateway_request *request = NULL;

    CHECK_STATUS(OK, mlflow_gateway_request_create(&request, &error));
    if (set != NULL)
        CHECK_STATUS(OK, set(request, text, len, &error));
    return request;
}

static void check_contents(mlflow_gateway *gateway)
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
        mlflow_gateway_request *request = request_with(CONTENTS[c].set, CONTENTS[c].text, len);
        for (size_t w = 0; w < COUNT(WAYS); w++) {
            bool is_allowed = WAYS[w].text == REFUSED ? CONTENTS[c].is_text : CONTENTS[c].is_input;
            check_fails(gateway, request, &WAYS[w], is_allowed ? REFUSED : ARGUMENT);
        }
        mlflow_gateway_request_destroy(request);
    }
}

static void check_long_contents(mlflow_gateway *gateway)
{
    size_t len = 4 * 1024 * 1024;
    char *text = make_long_string(len);
    mlflow_gateway_request *request = request_with(mlflow_gateway_request_set_prompt, text, len);

    for (size_t w = 0; w < COUNT(WAYS); w++)
        check_fails(gateway, request, &WAYS[w], WAYS[w].text);
    mlflow_gateway_request_destroy(request);

    request = request_with(mlflow_gateway_request_add_input, text, len);
    for (size_t w = 0; w < COUNT(WAYS); w++)
        check_fails(gateway, request, &WAYS[w], WAYS[w].input);
    mlflow_gateway_request_destroy(request);
    free(text);
}

/* More inputs than one question takes, by more threads than there are questions. */
static void check_many_inputs(mlflow_gateway *gateway)
{
    mlflow_gateway_request *request = request_with(NULL, NULL, 0);
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
    mlflow_gateway_request *request = request_with(mlflow_gateway_request_set_body_json, "{}", 2);
    check_null(gateway, request);
    check_no_callback(gateway, request);
    mlflow_gateway_request_destroy(request);
    check_contents(gateway);
    check_long_contents(gateway);
    check_many_inputs(gateway);
    mlflow_gateway_destroy(gateway);
    return 0;
}
