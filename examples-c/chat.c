/*
 * chat - a conversation with a model behind an MLflow AI Gateway, whose answers are shown as they come.
 *
 * The answers go to standard output and nothing else does. Ctrl-C stops an answer, or the waiting for one; at the
 * prompt, it ends the program.
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
    EXIT_ANSWERED = 0,
    EXIT_CANNOT_PRINT = 1,
    EXIT_USAGE = 2,
    EXIT_NO_CONNECTION = 3,
    EXIT_REFUSED = 4,
    EXIT_WRONG_ANSWER = 5,
    EXIT_FAULT = 6
};

static const char USAGE[] =
    "usage: chat [-u URI] [-r ROUTE] [-y SYSTEM] [-t TEMPERATURE] [-m MAX_TOKENS] [--attach FILE] [-v]\n"
    "\n"
    "  -u URI          the gateway's URI; without it, the environment variable\n"
    "                  MLFLOW_GATEWAY_URI or MLFLOW_DEPLOYMENTS_TARGET says it\n"
    "  -r ROUTE        the route (endpoint) to ask; default: chat\n"
    "  -y SYSTEM       what the model is told before all else, for example\n"
    "                  \"Answer in one sentence.\"\n"
    "  -t TEMPERATURE  how freely the model chooses its words, for example 0.7\n"
    "  -m MAX_TOKENS   the longest answer, in tokens\n"
    "  --attach FILE   a picture or a recording for the first message\n"
    "  -v              say after each answer how many tokens it took\n"
    "\n"
    "Each line of standard input is a message to the model. Ctrl-C stops an answer;\n"
    "at the prompt, Ctrl-C or Ctrl-D ends the chat.\n"
    "\n"
    "exit status: 0 all was answered, 1 an answer could not be printed, 2 wrong use;\n"
    "where answers failed, why the last of them did: 3 no connection or no answer\n"
    "in time, 4 the gateway refused, 5 the gateway's answer was wrong, 6 a fault in\n"
    "this program\n";

static enum exit_code exit_code_of(mlflow_gateway_status status)
{
    if (status == MLFLOW_GATEWAY_OK)
        return EXIT_ANSWERED;
    if (status < 20)
        return EXIT_USAGE;
    if (status < 40)
        return EXIT_NO_CONNECTION;
    if (status < 60)
        return EXIT_REFUSED;
    if (status < 80)
        return EXIT_WRONG_ANSWER;
    return EXIT_FAULT;
}

static enum exit_code wrong_use(const char *problem)
{
    fprintf(stderr, "chat: %s\n\n%s", problem, USAGE);
    return EXIT_USAGE;
}

/* By which Ctrl-C ends an answer. */
static mlflow_gateway_cancel_token *token;

static void stop_answer(int signal_number)
{
    (void)signal_number;
    mlflow_gateway_cancel(token);
}

/* What Ctrl-C does from now on. At the prompt it also makes the reading of the line fail with EINTR (no SA_RESTART). */
static void catch_interrupts(int during_answer)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = stop_answer;
    action.sa_flags = during_answer ? SA_RESTART : 0;
    sigaction(SIGINT, &action, NULL);
}

struct chat {
    mlflow_gateway *gateway;
    /* All that was said so far. */
    mlflow_gateway_request *said;
    /* A picture or a recording for the next message, and its type; NULL for none. */
    char *attached;
    size_t attached_len;
    const char *attached_type;
    int verbose;
};

/* What came of the printing of an answer: how many bytes, and, where it failed, the reason in errno's numbers. */
struct printing {
    size_t printed;
    int problem;
    int reasoned;
};

/* Prints a piece of the answer as soon as it is there, and on stderr what the model writes before it. */
static int print_event(const mlflow_gateway_event *event, void *user_data)
{
    struct printing *printing = user_data;
    size_t len = 0;
    const char *text = mlflow_gateway_event_text(event, &len);
    int32_t kind = mlflow_gateway_event_kind(event);

    if (mlflow_gateway_event_candidate(event) != 0)
        return 0;
    if (kind == MLFLOW_GATEWAY_EVENT_REASONING) {
        fwrite(text, 1, len, stderr);
        printing->reasoned = 1;
    }
    if (kind != MLFLOW_GATEWAY_EVENT_TEXT)
        return 0;
    if (printing->reasoned && printing->printed == 0)
        fputc('\n', stderr);
    if (fwrite(text, 1, len, stdout) != len || fflush(stdout) != 0) {
        printing->problem = errno;
        return 1;
    }
    printing->printed += len;
    return 0;
}

/* Asks with all that was said so far and the new line, in a request of its own: a line that fails is not said again. */
static mlflow_gateway_status ask(const struct chat *chat, const char *line, size_t len, struct printing *printing,
                                 mlflow_gateway_request **request, mlflow_gateway_response **answer,
                                 mlflow_gateway_error **error)
{
    mlflow_gateway_status status = mlflow_gateway_request_clone(chat->said, request, error);

    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_request_add_message(*request, "user", line, len, error);
    if (status == MLFLOW_GATEWAY_OK && chat->attached != NULL)
        status = mlflow_gateway_request_add_media(*request, chat->attached_type, chat->attached, chat->attached_len,
                                                  error);
    if (status == MLFLOW_GATEWAY_OK) {
        mlflow_gateway_cancel_token_reset(token);
        status = mlflow_gateway_stream_call(chat->gateway, *request, print_event, printing, answer, error);
    }
    return status;
}

static void print_tokens(const char *what, int64_t tokens)
{
    if (tokens < 0)
        fprintf(stderr, "%s not reported", what);
    else
        fprintf(stderr, "%s %lld", what, (long long)tokens);
}

/* Lets the model answer a line. */
static enum exit_code take_turn(struct chat *chat, const char *line, size_t len)
{
    struct printing printing = { 0, 0, 0 };
    mlflow_gateway_request *request = NULL;
    mlflow_gateway_response *answer = NULL;
    mlflow_gateway_error *error = NULL;
    mlflow_gateway_status status = ask(chat, line, len, &printing, &request, &answer, &error);
    enum exit_code code = EXIT_ANSWERED;

    if (printing.problem == 0 && (status == MLFLOW_GATEWAY_OK || printing.printed != 0) &&
        (putchar('\n') == EOF || fflush(stdout) != 0))
        printing.problem = errno;

    if (printing.problem != 0) {
        fprintf(stderr, "chat: the answer could not be printed: %s\n", strerror(printing.problem));
        code = EXIT_CANNOT_PRINT;
    } else if (status != MLFLOW_GATEWAY_OK && status != MLFLOW_GATEWAY_CANCELLED) {
        fprintf(stderr, "chat: %s\n", mlflow_gateway_error_message(error));
        code = exit_code_of(status);
    } else if (status == MLFLOW_GATEWAY_CANCELLED && printing.printed == 0) {
        /* Stopped before its first word: as if it had not been asked. */
    } else if (mlflow_gateway_response_text(answer, 0, NULL) == NULL) {
        fputs("chat: the answer holds no text\n", stderr);
        code = EXIT_WRONG_ANSWER;
    } else {
        if (chat->verbose) {
            print_tokens("tokens: asked", mlflow_gateway_response_tokens(answer, MLFLOW_GATEWAY_TOKENS_INPUT));
            print_tokens(", answered", mlflow_gateway_response_tokens(answer, MLFLOW_GATEWAY_TOKENS_OUTPUT));
            fputc('\n', stderr);
        }
        mlflow_gateway_error_destroy(error);
        error = NULL;
        code = exit_code_of(mlflow_gateway_request_add_response(request, answer, 0, &error));
        if (code == EXIT_ANSWERED) {
            mlflow_gateway_request_destroy(chat->said);
            chat->said = request;
            request = NULL;
            free(chat->attached);
            chat->attached = NULL;
        } else {
            fprintf(stderr, "chat: %s\n", mlflow_gateway_error_message(error));
        }
    }
    mlflow_gateway_request_destroy(request);
    mlflow_gateway_response_destroy(answer);
    mlflow_gateway_error_destroy(error);
    return code;
}

/* The chat itself, until there are no more lines. */
static enum exit_code talk(struct chat *chat)
{
    int on_terminal = isatty(STDIN_FILENO);
    enum exit_code code = EXIT_ANSWERED;
    char *line = NULL;
    size_t room = 0;

    while (code != EXIT_CANNOT_PRINT) {
        catch_interrupts(0);
        if (on_terminal)
            fputs("> ", stderr);
        ssize_t len = getline(&line, &room, stdin);
        int why_not = errno;
        catch_interrupts(1);
        if (len < 0) {
            if (on_terminal)
                fputc('\n', stderr);
            if (!feof(stdin) && why_not != EINTR) {
                fprintf(stderr, "chat: standard input cannot be read: %s\n", strerror(why_not));
                code = EXIT_FAULT;
            }
            break;
        }
        if (line[len - 1] == '\n')
            line[--len] = '\0';
        if (len > 0) {
            enum exit_code of_this_turn = take_turn(chat, line, (size_t)len);
            if (of_this_turn != EXIT_ANSWERED)
                code = of_this_turn;
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

/* The command line, understood. */
struct settings {
    const char *uri, *route, *system, *temperature, *max_tokens, *attach;
    int verbose;
};

/* Returns the media type of a file by its name; NULL if it is not known. */
static const char *media_type_of(const char *path)
{
    static const char *const TYPES[][2] = {
        { ".png", "image/png" },   { ".jpg", "image/jpeg" }, { ".jpeg", "image/jpeg" }, { ".gif", "image/gif" },
        { ".webp", "image/webp" }, { ".wav", "audio/wav" },  { ".mp3", "audio/mpeg" },
    };
    const char *ending = strrchr(path, '.');

    for (size_t i = 0; ending != NULL && i < sizeof TYPES / sizeof *TYPES; i++)
        if (strcmp(ending, TYPES[i][0]) == 0)
            return TYPES[i][1];
    return NULL;
}

/* Reads the file that is to be attached; 0 if it cannot be read. */
static int read_attached(struct chat *chat, const char *path)
{
    FILE *file = fopen(path, "rb");
    long len = -1;

    if (file != NULL && fseek(file, 0, SEEK_END) == 0 && (len = ftell(file)) >= 0)
        chat->attached = malloc((size_t)len + 1);
    if (chat->attached != NULL) {
        rewind(file);
        chat->attached_len = fread(chat->attached, 1, (size_t)len, file);
    }
    int is_read = chat->attached != NULL && chat->attached_len == (size_t)len;
    if (!is_read)
        fprintf(stderr, "chat: %s cannot be read: %s\n", path, strerror(errno));
    if (file != NULL)
        fclose(file);
    return is_read;
}

static mlflow_gateway_status make_chat(const struct settings *settings, struct chat *chat, mlflow_gateway_error **error)
{
    mlflow_gateway **gateway = &chat->gateway;
    mlflow_gateway_status status = mlflow_gateway_create(settings->route, settings->uri, gateway, error);

    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_cancel_token_create(&token, error);
    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_set_cancel_token(*gateway, token, error);
    if (status == MLFLOW_GATEWAY_OK && settings->temperature != NULL)
        status = mlflow_gateway_set_param_double(*gateway, "temperature", strtod(settings->temperature, NULL), error);
    if (status == MLFLOW_GATEWAY_OK && settings->max_tokens != NULL)
        status = mlflow_gateway_set_param_int(*gateway, "max_tokens", strtoll(settings->max_tokens, NULL, 10), error);
    if (status == MLFLOW_GATEWAY_OK)
        status = mlflow_gateway_request_create(&chat->said, error);
    if (status == MLFLOW_GATEWAY_OK && settings->system != NULL)
        status = mlflow_gateway_request_add_message(chat->said, "system", settings->system,
                                                    MLFLOW_GATEWAY_NUL_TERMINATED, error);
    return status;
}

static enum exit_code run(const struct settings *settings)
{
    struct chat chat = { .verbose = settings->verbose };
    mlflow_gateway_error *error = NULL;
    enum exit_code code = exit_code_of(make_chat(settings, &chat, &error));

    if (code != EXIT_ANSWERED)
        fprintf(stderr, "chat: %s\n", mlflow_gateway_error_message(error));
    else if (settings->attach != NULL && !read_attached(&chat, settings->attach))
        code = EXIT_USAGE;
    else {
        if (settings->attach != NULL)
            chat.attached_type = media_type_of(settings->attach);
        code = talk(&chat);
    }
    free(chat.attached);
    mlflow_gateway_request_destroy(chat.said);
    mlflow_gateway_error_destroy(error);
    mlflow_gateway_destroy(chat.gateway);
    signal(SIGINT, SIG_DFL);
    mlflow_gateway_cancel_token_destroy(token);
    return code;
}

int main(int argc, char **argv)
{
    struct settings settings = { .route = "chat" };
    int option;

    static const struct option LONG_OPTIONS[] = { { "attach", required_argument, NULL, 'a' }, { NULL, 0, NULL, 0 } };
    while ((option = getopt_long(argc, argv, "u:r:y:t:m:a:vh", LONG_OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'u': settings.uri = optarg; break;
        case 'r': settings.route = optarg; break;
        case 'y': settings.system = optarg; break;
        case 't': settings.temperature = optarg; break;
        case 'm': settings.max_tokens = optarg; break;
        case 'a': settings.attach = optarg; break;
        case 'v': settings.verbose = 1; break;
        case 'h': return fputs(USAGE, stdout) == EOF ? EXIT_CANNOT_PRINT : EXIT_ANSWERED;
        default: return wrong_use("see the usage below");
        }
    }
    if (optind != argc)
        return wrong_use("the messages come from standard input, not from the command line");
    if (settings.temperature != NULL && !is_number(settings.temperature))
        return wrong_use("TEMPERATURE is not a number");
    if (settings.max_tokens != NULL && !is_integer(settings.max_tokens))
        return wrong_use("MAX_TOKENS is not an integer");
    if (settings.attach != NULL && media_type_of(settings.attach) == NULL)
        return wrong_use("FILE is not a .png, .jpg, .gif, .webp, .wav or .mp3");
    return run(&settings);
}
