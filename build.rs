//! Writes the C header, and gives the shared library its name.

use std::path::Path;
use std::{env, fs};

/// The files that hold exported functions, in the order in which a C programmer wants to read them.
const SOURCES: [&str; 16] = [
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
    "embeddings",
    "routes",
    "cancel",
    "log",
];

/// What stands above the first declaration of each part of the header. cbindgen has no means for it.
const HEADINGS: [(&str, &str); 24] = [
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
    ("const char *mlflow_gateway_version(", "Version, status names and strings"),
    ("mlflow_gateway_error_status(", "Errors"),
    ("mlflow_gateway_create(", "The simple path: one route, one prompt"),
    ("mlflow_gateway_request_create(", "Requests"),
    ("mlflow_gateway_send(", "Responses"),
    ("mlflow_gateway_json_get(", "JSON"),
    ("mlflow_gateway_stream_open(", "Streaming"),
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
    name_library();
}

fn header() -> String {
    let mut config = cbindgen::Config::from_file("cbindgen.toml").expect("cbindgen.toml is read");
    config.after_includes = Some(version_macros());
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
        builder = builder.with_src(format!("src/ffi/{source}.rs"));
    }
    let mut bytes = Vec::new();
    builder.generate().expect("cbindgen reads src/ffi").write(&mut bytes);
    let header = String::from_utf8(bytes).expect("cbindgen writes UTF-8");
    // cbindgen would put the types outside of extern "C", and with them that of the callback.
    let header = header.replacen("\n#endif  /* MLFLOW", "\n#ifdef __cplusplus\n}\n#endif\n\n#endif  /* MLFLOW", 1);
    // It breaks the line there only before long declarations.
    let header = header.replace("\nMLFLOW_GATEWAY_API ", "\nMLFLOW_GATEWAY_API\n");
    let header = with_kinds_behind_statuses(&header);
    let header =
        HEADINGS.iter().fold(header, |header, (declaration, heading)| with_heading(header, declaration, heading));
    with_short_comments(&header)
}

fn version_macros() -> String {
    let part = |name| env::var(format!("CARGO_PKG_VERSION_{name}")).expect("cargo tells the version");
    let [major, minor, patch] = ["MAJOR", "MINOR", "PATCH"].map(part);
    format!(
        "\n/* The version of this header. mlflow_gateway_version() tells the version of the library that runs. */\n\
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

/// cbindgen writes numbers of the type int32_t first: kinds and levels. They belong behind the types and the statuses.
fn with_kinds_behind_statuses(header: &str) -> String {
    let begin = |declaration| {
        let at = header.find(declaration).expect("the header has a part of this kind");
        header[..at].rfind("/**").expect("each declaration has a comment")
    };
    let (before, rest) = header.split_at(header.find("\n/**\n").expect("there are comments") + 1);
    let (kinds, rest) = rest.split_at(begin("typedef struct ") - before.len());
    let (types_and_statuses, functions) = rest.split_at(begin("\nMLFLOW_GATEWAY_API\n") - before.len() - kinds.len());
    [before, types_and_statuses, kinds, functions].concat()
}

/// Writes comments of one line on one line.
fn with_short_comments(header: &str) -> String {
    let (mut short, mut rest) = (String::new(), header);
    while let Some((before, comment)) = rest.split_once("/**\n * ") {
        short.push_str(before);
        let (line, behind) = comment.split_once('\n').expect("a comment has an end");
        rest = match behind.strip_prefix(" */") {
            Some(behind) => {
                short.push_str(&format!("/** {line} */"));
                behind
            }
            None => {
                short.push_str("/**\n * ");
                comment
            }
        };
    }
    short + rest
}

/// Inserts the heading above the comment of the declaration, which must be there once.
fn with_heading(header: String, declaration: &str, heading: &str) -> String {
    let is_code = |at: usize| !header[..at].rsplit('\n').next().is_some_and(|line| line.starts_with(" *"));
    let is_whole = |at: usize| header[..at].ends_with([' ', '\n']);
    let places: Vec<_> = header.match_indices(declaration).map(|(at, _)| at).collect();
    let [at] = places.into_iter().filter(|at| is_code(*at) && is_whole(*at)).collect::<Vec<_>>()[..] else {
        panic!("the header has not exactly one declaration of {declaration}");
    };
    let comment = header[..at].rfind("/**").expect("each declaration has a comment");
    let rule = "-".repeat(heading.len());
    format!("{}/* {heading}\n * {rule} */\n\n{}", &header[..comment], &header[comment..])
}

/// A source tree that cannot be written to (a package's, a read-only checkout) holds the right header already.
fn write_header(path: &Path, header: &str) {
    if fs::read_to_string(path).is_ok_and(|old| old == header) {
        return;
    }
    if let Err(error) = fs::write(path, header) {
        println!("cargo:warning={} is out of date and cannot be written: {error}", path.display());
    }
}

/// Programs that link with the library look for this name at run time. Before 1.0 each minor version may break them.
fn name_library() {
    let part = |name| env::var(format!("CARGO_PKG_VERSION_{name}")).expect("cargo tells the version");
    let version = match part("MAJOR").as_str() {
        "0" => format!("0.{}", part("MINOR")),
        major => major.to_owned(),
    };
    match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("macos") => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libmlflow_ai_gateway.{version}.dylib")
        }
        Ok("windows") => {}
        _ => println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libmlflow_ai_gateway.so.{version}"),
    }
}
