//! Writes the C header, and gives the shared library its name.

use std::path::Path;
use std::{env, fs};

/// The files that hold exported functions, in the order in which a C programmer wants to read them.
const SOURCES: [&str; 14] = [
    "gateway",
    "log",
    "request",
    "response",
    "json",
    "usage",
    "stream",
    "event",
    "embeddings",
    "routes",
    "cancel",
    "error",
    "status",
    "version",
];

/// What stands above the first declaration of each part of the header. cbindgen has no means for it.
const HEADINGS: [(&str, &str); 23] = [
    ("typedef struct mlflow_gateway mlflow_gateway;", "Types"),
    ("#define MLFLOW_GATEWAY_OK ", "Status numbers: they never change, and none is ever used again"),
    ("#define MLFLOW_GATEWAY_INVALID_ARGUMENT ", "1 to 19: the caller's mistake; nothing was sent"),
    ("#define MLFLOW_GATEWAY_RESOLVE_FAILED ", "20 to 39: the way to the gateway"),
    ("#define MLFLOW_GATEWAY_BAD_REQUEST ", "40 to 59: the gateway, or the model provider behind it, said no"),
    ("#define MLFLOW_GATEWAY_BAD_RESPONSE ", "60 to 79: the gateway said yes, but its answer is wrong"),
    ("#define MLFLOW_GATEWAY_PANIC ", "80 to 99: this library"),
    ("#define MLFLOW_GATEWAY_STREAM_END ", "100 to 119: no failure, and no error object"),
    ("#define MLFLOW_GATEWAY_JSON_NULL ", "Kinds of JSON values"),
    ("#define MLFLOW_GATEWAY_LOG_OFF ", "Levels of the log"),
    ("#define MLFLOW_GATEWAY_TIME_QUEUED ", "Points of time in a call"),
    ("#define MLFLOW_GATEWAY_TOKENS_INPUT ", "Kinds of tokens"),
    ("#define MLFLOW_GATEWAY_EVENT_TEXT ", "Kinds of events"),
    ("mlflow_gateway_create(", "The simple path: one route, one prompt"),
    ("mlflow_gateway_set_log(", "What goes on"),
    ("mlflow_gateway_request_create(", "The full path: a request ..."),
    ("mlflow_gateway_send(", "... and what came of it"),
    ("mlflow_gateway_json_get(", "JSON"),
    ("mlflow_gateway_stream_open(", "Streaming: events, fetched one by one or handed to a callback"),
    ("mlflow_gateway_embed(", "Vectors"),
    ("mlflow_gateway_list_routes(", "What is there"),
    ("mlflow_gateway_cancel_token_create(", "Cancelling calls"),
    ("mlflow_gateway_error_status(", "What went wrong"),
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
    HEADINGS.iter().fold(header, |header, (declaration, heading)| with_heading(header, declaration, heading))
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
         /* The version as one number: the major part times 1000000, the minor part times 1000, and the patch. */\n\
         #define MLFLOW_GATEWAY_VERSION_NUMBER \\\n    \
         (MLFLOW_GATEWAY_VERSION_MAJOR * 1000000 + MLFLOW_GATEWAY_VERSION_MINOR * 1000 + \\\n     \
         MLFLOW_GATEWAY_VERSION_PATCH)\n\
         \n\
         /* Whether this header is of that version or a later one, for #if. */\n\
         #define MLFLOW_GATEWAY_AT_LEAST(major, minor, patch) \\\n    \
         (MLFLOW_GATEWAY_VERSION_NUMBER >= (major) * 1000000 + (minor) * 1000 + (patch))\n\
         \n\
         /* As the length of a text that is passed in: it is NUL-terminated, and is to be measured. */\n\
         #define MLFLOW_GATEWAY_NUL_TERMINATED SIZE_MAX\n\
         \n\
         #ifdef __cplusplus\n\
         extern \"C\" {{\n\
         #endif"
    )
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

/// Programs that link with the library look for this name at run time.
fn name_library() {
    let major = env::var("CARGO_PKG_VERSION_MAJOR").expect("cargo tells the version");
    match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("macos") => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libmlflow_ai_gateway.{major}.dylib")
        }
        Ok("windows") => {}
        _ => println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libmlflow_ai_gateway.so.{major}"),
    }
}
