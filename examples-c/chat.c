/*
 * chat - chat with a model behind an MLflow AI gateway. Responses are streamed to the terminal.
 *
 * Only the text of the responses is written to standard output. Ctrl-C cancels a response; at the prompt it ends the
 * program.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <getopt.h>
#include <mlflow_ai_gateway.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum exit_code {
    EXIT_OK = 0,
    EXIT_OUTPUT = 1,
    EXIT_USAGE = 2,
    EXIT_TRANSPORT = 3,
    EXIT_REFUSED = 4,
    EXIT_BAD_RESPONSE = 5,
    EXIT_INTERNAL = 6
};

#define SYNOPSIS \
    "usage: chat [-u URI] [-r ROUTE] [-y SYSTEM] [-t TEMPERATURE] [-m MAX_TOKENS]\n" \
    "            [--attach FILE] [-v]\n"

static const char HELP[] =
    SYNOPSIS
    "\n"
    "Chat with a model behind an MLflow AI gateway. Each line of standard input is a\n"
    "message. Ctrl-C cancels a response; at the prompt, Ctrl-C or Ctrl-D ends the\n"
    "chat.\n"
    "\n"
    "  -u URI          gateway URI; default: $MLFLOW_GATEWAY_URI,\n"
    "                  $MLFLOW_DEPLOYMENTS_TARGET or $MLFLOW_TRACKING_URI\n"
    "  -r ROUTE        route (endpoint); default: chat\n"
    "  -y SYSTEM       system message, for example \"Be concise.\"\n"
    "  -t TEMPERATURE  sampling temperature, for example 0.7\n"
    "  -m MAX_TOKENS   maximum length of a response, in tokens\n"
    "  --attach FILE   attach an image or a recording to the first message:\n"
    "                  .png, .jpg, .gif, .webp, .wav or .mp3\n"
    "  -v              print the token counts of each response to standard error\n"
    "  -h, --help      show this help\n"
    "\n"
    "exit status: 0 success, 1 output error, 2 usage error; that of the last failed\n"
    "message: 3 connection failed or timed out, 4 refused by the gateway or the\n"
    "model provider, 5 invalid response, 6 internal error\n";

static const struct option LONG_OPTIONS[] = {
    { "attach", required_argument, NULL, 'a' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static enum exit_code exit_code_of(mlflow_gateway_status status)
{
    if (status == MLFLOW_GATEWAY_OK)
        return EXIT_OK;
    if (status < 20)
        return EXIT_USAGE;
    if (status < 40)
        return EXIT_TRANSPORT;
    if (status < 60)
        return EXIT_REFUSED;
    if (status < 80)
        return EXIT_BAD_RESPONSE;
    return EXIT_INTERNAL;
}

/* Prints a usage error. `message` is NULL if getopt_long() has printed one. */
static enum exit_code usage_error(const char *message)
{
    if (message != NULL)
        fprintf(stderr, "chat: %s\n", message);
    fputs(SYNOPSIS "Try 'chat --help' for more information.\n", stderr);
    return EXIT_USAGE;
}

/* Global, because the signal handler uses it. */
static mlflow_gateway_cancel_token *token;

static void cancel_response(int signal_number)
{
    (void)signal_number;
    mlflow_gateway_cancel(token);
}

/* Makes Ctrl-C cancel the response and, unless `restart` is set, a read of standard input (with EINTR). */
static void handle_interrupts(int restart)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = cancel_response;
    action.sa_flags = restart ? SA_RESTART : 0;
    sigaction(SIGINT, &action, NULL);
}

struct chat {
    mlflow_gateway *gateway;
    /* All messages and responses so far. */
    mlflow_gateway_request *history;
    /* An image or a recording for the next message and its media type, or NULL. */
    char *attachment;
    size_t attachment_len;
    const char *attachment_type;
    int verbose;
};

/* The output of one response. */
struct output {
    /* Bytes of text that were written. */
    size_t written;
    /* errno of a failed write, or 0. */
    int write_errno;
    int has_reasoning;
};

/* Prints a fragment of text to standard output, or of reasoning to standard error. */
static int print_event(const mlflow_gateway_event *event, void *user_data)
{
    struct output *output = user_data;
    size_t len = 0;
    const char *text = mlflow_gateway_event_text(event, &len);
    int32_t kind = mlflow_gateway_event_kind(event);

    if (mlflow_gateway_event_candidate(event) != 0)
        return 0;
    if (kind == MLFLOW_GATEWAY_EVENT_REASONING) {
        fwrite(text, 1, len, stderr);
        output->has_reasoning = 1;
    }
    if (kind != MLFLOW_GATEWAY_EVENT_TEXT)
        return 0;
    if (output->has_reasoning && output->written == 0)
        fputc('\n', stderr);
    if (fwrite(text, 1, len, stdout) != len || fflush(stdout) != 0) {
        output->write_errno = errno;
        return 1;
    }
    output->written += len;
    return 0;
}

/*
 * Sends the history and a new message, and prints the response. `request` receives a copy of the history with the new
 * message: if sending fails, the message does not become part of the history.
 */
static mlflow_gateway_status send_message(const struct chat *chat, const char *message, size_t len,
                                          struct output *output, mlflow_gateway_request **request,
                                          mlflow_gateway_response **response, mlflow_gateway_error **error)
{
    mlflow_gateway_status status = mlflow_gateway_request_clone(chat->history, request, error);

    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_request_add_message(*request, "user", message, len, error);
    if (status == MLFLOW_GATEWAY_OK && chat->attachment != NULL)
        status = mlflow_gateway_request_add_media(*request, chat->attachment_type, chat->attachment,
                                                  chat->attachment_len, error);
    if (status == MLFLOW_GATEWAY_OK) {
        mlflow_gateway_cancel_token_reset(token);
        status = mlflow_gateway_stream_call(chat->gateway, *request, print_event, output, response, error);
    }
    return status;
}

static void print_tokens(const char *label, int64_t tokens)
{
    if (tokens < 0)
        fprintf(stderr, "%s not reported", label);
    else
        fprintf(stderr, "%s %lld", label, (long long)tokens);
}

/* Sends a message, prints the response, and adds both to the history. */
static enum exit_code exchange(struct chat *chat, const char *message, size_t len)
{
    struct output output = { 0, 0, 0 };
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_response *response = NULL;
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_status status = send_message(chat, message, len, &output, &request, &response, &error);
    enum exit_code code = EXIT_OK;

    if (output.write_errno == 0 && (status == MLFLOW_GATEWAY_OK || output.written != 0) &&
        (putchar('\n') == EOF || fflush(stdout) != 0))
        output.write_errno = errno;

    if (output.write_errno != 0) {
        fprintf(stderr, "chat: cannot write to standard output: %s\n", strerror(output.write_errno));
        code = EXIT_OUTPUT;
    } else if (status != MLFLOW_GATEWAY_OK && status != MLFLOW_GATEWAY_CANCELLED) {
        fprintf(stderr, "chat: %s\n", mlflow_gateway_error_message(error));
        code = exit_code_of(status);
    } else if (status == MLFLOW_GATEWAY_CANCELLED && output.written == 0) {
        /* Cancelled before the first text: the message does not become part of the history. */
    } else if (mlflow_gateway_response_text(response, 0, NULL) == NULL) {
        fputs("chat: the response has no text\n", stderr);
        code = EXIT_BAD_RESPONSE;
    } else {
        if (chat->verbose) {
            print_tokens("tokens: input", mlflow_gateway_response_tokens(response, MLFLOW_GATEWAY_TOKENS_INPUT));
            print_tokens(", output", mlflow_gateway_response_tokens(response, MLFLOW_GATEWAY_TOKENS_OUTPUT));
            fputc('\n', stderr);
        }
        mlflow_gateway_error_destroy(error);
        error = NULL;
        code = exit_code_of(mlflow_gateway_request_add_response(request, response, 0, &error));
        if (code == EXIT_OK) {
            mlflow_gateway_request_destroy(chat->history);
            chat->history = request;
            request = NULL;
            free(chat->attachment);
            chat->attachment = NULL;
        } else {
            fprintf(stderr, "chat: %s\n", mlflow_gateway_error_message(error));
        }
    }
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_response_destroy(response);
    mlflow_gateway_error_destroy(error);
    return code;
}

/* Sends each line of standard input as a message. */
static enum exit_code chat_with_lines(struct chat *chat)
{
    int on_terminal = isatty(STDIN_FILENO);
    enum exit_code code = EXIT_OK;
    char *line = NULL;
    size_t capacity = 0;

    while (code != EXIT_OUTPUT) {
        handle_interrupts(0);
        if (on_terminal)
            fputs("> ", stderr);
        ssize_t len = getline(&line, &capacity, stdin);
        int read_errno = errno;
        handle_interrupts(1);
        if (len < 0) {
            if (on_terminal)
                fputc('\n', stderr);
            if (!feof(stdin) && read_errno != EINTR) {
                fprintf(stderr, "chat: cannot read standard input: %s\n", strerror(read_errno));
                code = EXIT_INTERNAL;
            }
            break;
        }
        if (line[len - 1] == '\n')
            line[--len] = '\0';
        if (len > 0) {
            enum exit_code line_code = exchange(chat, line, (size_t)len);
            if (line_code != EXIT_OK)
                code = line_code;
        }
    }
    free(line);
    return code;
}

static int is_number(const char *text)
{
    char *end;
    strtod(text, &end);
    return *text != '\0' && *end == '\0';
}

static int is_integer(const char *text)
{
    char *end;
    errno = 0;
    strtoll(text, &end, 10);
    return *text != '\0' && *end == '\0' && errno == 0;
}

struct arguments {
    const char *uri, *route, *system, *temperature, *max_tokens, *attach;
    int verbose;
};

/* Returns the media type for the extension of a file name, or NULL. */
static const char *media_type_of(const char *path)
{
    static const char *const TYPES[][2] = {
        { ".png", "image/png" },   { ".jpg", "image/jpeg" }, { ".jpeg", "image/jpeg" }, { ".gif", "image/gif" },
        { ".webp", "image/webp" }, { ".wav", "audio/wav" },  { ".mp3", "audio/mpeg" },
    };
    const char *extension = strrchr(path, '.');

    for (size_t i = 0; extension != NULL && i < sizeof TYPES / sizeof *TYPES; i++)
        if (strcmp(extension, TYPES[i][0]) == 0)
            return TYPES[i][1];
    return NULL;
}

/* Reads the file to attach. Returns 0 if it cannot be read. */
static int read_attachment(struct chat *chat, const char *path)
{
    FILE *file = fopen(path, "rb");
    long len = -1;

    if (file != NULL && fseek(file, 0, SEEK_END) == 0 && (len = ftell(file)) >= 0)
        chat->attachment = malloc((size_t)len + 1);
    if (chat->attachment != NULL) {
        rewind(file);
        chat->attachment_len = fread(chat->attachment, 1, (size_t)len, file);
    }
    int is_read = chat->attachment != NULL && chat->attachment_len == (size_t)len;
    if (!is_read)
        fprintf(stderr, "chat: cannot read %s: %s\n", path, strerror(errno));
    if (file != NULL)
        fclose(file);
    return is_read;
}

static mlflow_gateway_status create_chat(const struct arguments *arguments, struct chat *chat,
                                         mlflow_gateway_error **error)
{
    mlflow_gateway **gateway = &chat->gateway;
    mlflow_gateway_status status = mlflow_gateway_create(arguments->route, arguments->uri, gateway, error);

    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_cancel_token_create(&token, error);
    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_set_cancel_token(*gateway, token, error);
    if (status == MLFLOW_GATEWAY_OK && arguments->temperature != NULL)
        status = mlflow_gateway_set_param_double(*gateway, "temperature", strtod(arguments->temperature, NULL), error);
    if (status == MLFLOW_GATEWAY_OK && arguments->max_tokens != NULL)
        status = mlflow_gateway_set_param_int(*gateway, "max_tokens", strtoll(arguments->max_tokens, NULL, 10), error);
    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_request_create(&chat->history, error);
    if (status == MLFLOW_GATEWAY_OK && arguments->system != NULL)
        status = mlflow_gateway_request_add_message(chat->history, "system", arguments->system,
                                                    MLFLOW_GATEWAY_NUL_TERMINATED, error);
    return status;
}

static enum exit_code run(const struct arguments *arguments)
{
    struct chat chat = { .verbose = arguments->verbose };
    mlflow_gateway_error *error = NULL;
    enum exit_code code = exit_code_of(create_chat(arguments, &chat, &error));

    if (code != EXIT_OK)
        fprintf(stderr, "chat: %s\n", mlflow_gateway_error_message(error));
    else if (arguments->attach != NULL && !read_attachment(&chat, arguments->attach))
        code = EXIT_USAGE;
    else {
        if (arguments->attach != NULL)
            chat.attachment_type = media_type_of(arguments->attach);
        code = chat_with_lines(&chat);
    }
    free(chat.attachment);
    mlflow_gateway_request_destroy(chat.history);
    mlflow_gateway_error_destroy(error);
    mlflow_gateway_destroy(chat.gateway);
    signal(SIGINT, SIG_DFL);
    mlflow_gateway_cancel_token_destroy(token);
    return code;
}

int main(int argc, char **argv)
{
    struct arguments arguments = { .route = "chat" };
    int option;

    while ((option = getopt_long(argc, argv, "u:r:y:t:m:a:vh", LONG_OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'u': arguments.uri = optarg; break;
        case 'r': arguments.route = optarg; break;
        case 'y': arguments.system = optarg; break;
        case 't': arguments.temperature = optarg; break;
        case 'm': arguments.max_tokens = optarg; break;
        case 'a': arguments.attach = optarg; break;
        case 'v': arguments.verbose = 1; break;
        case 'h': return fputs(HELP, stdout) == EOF ? EXIT_OUTPUT : EXIT_OK;
        default: return usage_error(NULL);
        }
    }
    if (optind != argc)
        return usage_error("unexpected argument; messages are read from standard input");
    if (arguments.temperature != NULL && !is_number(arguments.temperature))
        return usage_error("TEMPERATURE is not a number");
    if (arguments.max_tokens != NULL && !is_integer(arguments.max_tokens))
        return usage_error("MAX_TOKENS is not an integer");
    if (arguments.attach != NULL && media_type_of(arguments.attach) == NULL)
        return usage_error("FILE is not a .png, .jpg, .gif, .webp, .wav or .mp3");
    return run(&arguments);
}
