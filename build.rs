//! Generates the C header and sets the SONAME and the build ID of the shared library.

use std::path::Path;
use std::{env, fs};

/// The files of `src/ffi` with exported functions, in the order of the header.
const SOURCES: [&str; 18] = [
    "version",
    "status",
    "string",
    "error",
    "gateway",
    "request",
    "send",
    "response",
    "usage",
    "json",
    "stream",
    "event",
    "queue",
    "completion",
    "embeddings",
    "routes",
    "cancel",
    "log",
];

/// The first declaration of each section of the header, and the section's heading. cbindgen cannot write headings.
const HEADINGS: [(&str, &str); 28] = [
    ("typedef struct mlflow_gateway mlflow_gateway;", "Types"),
    ("#define MLFLOW_GATEWAY_OK ", "Statuses: the numbers never change"),
    ("#define MLFLOW_GATEWAY_INVALID_ARGUMENT ", "1 to 19: error of the caller; nothing was sent"),
    ("#define MLFLOW_GATEWAY_RESOLVE_FAILED ", "20 to 39: transport"),
    ("#define MLFLOW_GATEWAY_BAD_REQUEST ", "40 to 59: refused by the gateway or the model provider"),
    ("#define MLFLOW_GATEWAY_BAD_RESPONSE ", "60 to 79: invalid response"),
    ("#define MLFLOW_GATEWAY_PANIC ", "80 to 99: fault of this library"),
    ("#define MLFLOW_GATEWAY_STREAM_END ", "100 to 119: not failures, without an error object"),
    ("#define MLFLOW_GATEWAY_JSON_NULL ", "Kinds of JSON values"),
    ("#define MLFLOW_GATEWAY_LOG_OFF ", "Log levels"),
    ("#define MLFLOW_GATEWAY_TIME_QUEUED ", "Times"),
    ("#define MLFLOW_GATEWAY_TOKENS_INPUT ", "Token counts"),
    ("#define MLFLOW_GATEWAY_EVENT_TEXT ", "Kinds of events"),
    ("#define MLFLOW_GATEWAY_SUBMIT_SEND ", "Ways to submit a request to a queue"),
    ("#define MLFLOW_GATEWAY_QUEUE_COUNT_WAITING ", "Counts of a queue"),
    ("#define MLFLOW_GATEWAY_COMPLETION_EVENT ", "Kinds of completions"),
    ("const char *mlflow_gateway_version(", "Version, status names and strings"),
    ("mlflow_gateway_error_status(", "Errors"),
    ("mlflow_gateway_create(", "The simple path: one route, one prompt"),
    ("mlflow_gateway_request_create(", "Requests"),
    ("mlflow_gateway_send(", "Responses"),
    ("mlflow_gateway_json_get(", "JSON"),
    ("mlflow_gateway_stream_open(", "Streaming"),
    ("mlflow_gateway_queue_create(", "Queues: many requests at once"),
    ("mlflow_gateway_embed(", "Embeddings"),
    ("mlflow_gateway_list_routes(", "Routes, health and limits"),
    ("mlflow_gateway_cancel_token_create(", "Cancellation"),
    ("mlflow_gateway_set_log(", "Logging"),
];

fn main() {
    for input in ["src/ffi", "cbindgen.toml", "Cargo.toml", "include/mlflow_ai_gateway.h"] {
        println!("cargo:rerun-if-changed={input}");
    }
    write_header(Path::new("include/mlflow_ai_gateway.h"), &header());
    set_soname();
}

fn header() -> String {
    let mut config = cbindgen::Config::from_file("cbindgen.toml").expect("cbindgen.toml is valid");
    config.after_includes = Some(version_macros());
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
        builder = builder.with_src(format!("src/ffi/{source}.rs"));
    }
    let mut bytes = Vec::new();
    builder.generate().expect("cbindgen parses src/ffi").write(&mut bytes);
    let header = String::from_utf8(bytes).expect("cbindgen writes UTF-8");
    // cbindgen's own `extern "C"` would exclude the types, and so the callback types.
    let header = header.replacen("\n#endif  /* MLFLOW", "\n#ifdef __cplusplus\n}\n#endif\n\n#endif  /* MLFLOW", 1);
    // cbindgen breaks the line after the macro only in long declarations.
    let header = header.replace("\nMLFLOW_GATEWAY_API ", "\nMLFLOW_GATEWAY_API\n");
    let header = with_constants_after_statuses(&header);
    let header =
        HEADINGS.iter().fold(header, |header, (declaration, heading)| with_heading(header, declaration, heading));
    with_short_comments(&header)
}

fn version_macros() -> String {
    let part = |name| env::var(format!("CARGO_PKG_VERSION_{name}")).expect("cargo sets the version variables");
    let [major, minor, patch] = ["MAJOR", "MINOR", "PATCH"].map(part);
    format!(
        "\n/* The version of this header. mlflow_gateway_version() returns that of the library in use. */\n\
         #define MLFLOW_GATEWAY_VERSION_MAJOR {major}\n\
         #define MLFLOW_GATEWAY_VERSION_MINOR {minor}\n\
         #define MLFLOW_GATEWAY_VERSION_PATCH {patch}\n\
         \n\
         /* The version as one number. */\n\
         #define MLFLOW_GATEWAY_VERSION_NUMBER \\\n    \
         (MLFLOW_GATEWAY_VERSION_MAJOR * 1000000 + MLFLOW_GATEWAY_VERSION_MINOR * 1000 + \\\n     \
         MLFLOW_GATEWAY_VERSION_PATCH)\n\
         \n\
         /* Whether this header has that version or a later one, for #if. */\n\
         #define MLFLOW_GATEWAY_AT_LEAST(major, minor, patch) \\\n    \
         (MLFLOW_GATEWAY_VERSION_NUMBER >= (major) * 1000000 + (minor) * 1000 + (patch))\n\
         \n\
         /* The length of a NUL-terminated string that the library measures. */\n\
         #define MLFLOW_GATEWAY_NUL_TERMINATED SIZE_MAX\n\
         \n\
         /* Precedes every function. Define it before including this header to replace it. */\n\
         #ifndef MLFLOW_GATEWAY_API\n\
         #if defined(__GNUC__)\n\
         #define MLFLOW_GATEWAY_API __attribute__((visibility(\"default\")))\n\
         #else\n\
         #define MLFLOW_GATEWAY_API\n\
         #endif\n\
         #endif\n\
         \n\
         #ifdef __cplusplus\n\
         extern \"C\" {{\n\
         #endif"
    )
}

/// Moves constants of the type `int32_t` (kinds and levels), which cbindgen writes first, after types and statuses.
fn with_constants_after_statuses(header: &str) -> String {
    let start_of = |declaration| {
        let at = header.find(declaration).expect("the header has a declaration of this kind");
        header[..at].rfind("/**").expect("every declaration has a comment")
    };
    let first_comment = header.find("\n/**\n").expect("the header has doc comments") + 1;
    let (types, functions) = (start_of("typedef struct "), start_of("\nMLFLOW_GATEWAY_API\n"));
    let constants = &header[first_comment..types];
    [&header[..first_comment], &header[types..functions], constants, &header[functions..]].concat()
}

/// Joins the three lines of each doc comment that has one line of text.
fn with_short_comments(header: &str) -> String {
    let (mut short, mut rest) = (String::new(), header);
    while let Some((before, comment)) = rest.split_once("/**\n * ") {
        short.push_str(before);
        let (line, after) = comment.split_once('\n').expect("every comment is closed");
        rest = match after.strip_prefix(" */") {
            Some(after) => {
                short.push_str(&format!("/** {line} */"));
                after
            }
            None => {
                short.push_str("/**\n * ");
                comment
            }
        };
    }
    short + rest
}

/// Inserts a heading above the comment of a declaration. Panics unless the header has exactly one such declaration.
fn with_heading(header: String, declaration: &str, heading: &str) -> String {
    let is_code = |at: usize| !header[..at].rsplit('\n').next().is_some_and(|line| line.starts_with(" *"));
    let is_whole = |at: usize| header[..at].ends_with([' ', '\n']);
    let matches = header.match_indices(declaration).map(|(at, _)| at);
    let [at] = matches.filter(|at| is_code(*at) && is_whole(*at)).collect::<Vec<_>>()[..] else {
        panic!("the header does not have exactly one declaration of {declaration}");
    };
    let comment = header[..at].rfind("/**").expect("every declaration has a comment");
    let rule = "-".repeat(heading.len());
    format!("{}/* {heading}\n * {rule} */\n\n{}", &header[..comment], &header[comment..])
}

/// Writes the header if it differs. A read-only source tree, for example of a package, is only a warning: its header is
/// up to date.
fn write_header(path: &Path, header: &str) {
    if fs::read_to_string(path).is_ok_and(|old| old == header) {
        return;
    }
    if let Err(error) = fs::write(path, header) {
        println!("cargo:warning={} is out of date and cannot be written: {error}", path.display());
    }
}

/// Sets the SONAME, by which programs find the library at run time. Before 1.0, every minor version has its own.
fn set_soname() {
    let part = |name| env::var(format!("CARGO_PKG_VERSION_{name}")).expect("cargo sets the version variables");
    let version = match part("MAJOR").as_str() {
        "0" => format!("0.{}", part("MINOR")),
        major => major.to_owned(),
    };
    match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("macos") => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libmlflow_ai_gateway.{version}.dylib")
        }
        Ok("windows") => {}
        _ => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libmlflow_ai_gateway.so.{version}");
            // By its ID, a debugger finds the debug symbols of a library that is stripped.
            println!("cargo:rustc-cdylib-link-arg=-Wl,--build-id=sha1");
        }
    }
}
