//! Settings from callers and the environment: URIs, proxies, `NO_PROXY`, options, variables and files. A password is
//! never shown.
//!
//! Input: a byte for the kind, and lines of text (see the functions below).
#![no_main]

use std::env::VarError;

use libfuzzer_sys::fuzz_target;
use mlflow_ai_gateway::fuzz::client;
use mlflow_ai_gateway::fuzz::http::{self, GatewayUri};
use mlflow_ai_gateway_fuzz::file::File;
use mlflow_ai_gateway_fuzz::options;

/// Replaces credentials.
const SECRET: &str = "hunter2secret";

fuzz_target!(|input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    // The secret must be only where it is inserted, even when control characters are removed.
    if text.replace(char::is_control, "").contains(SECRET) {
        return;
    }
    match kind {
        b'u' => uri(text),
        b'p' => proxy(text),
        b'n' => no_proxy(text),
        b'o' => option(text),
        b'i' => ini(text),
        _ => environment(text),
    }
});

/// A URI.
fn uri(text: &str) {
    let with_secret = text.replacen('@', &format!(":{SECRET}@"), 1);
    let refused = GatewayUri::parse(&with_secret).err();
    assert_eq!(refused.is_some(), text.contains('@') || GatewayUri::parse(text).is_err());
    assert!(!refused.as_ref().is_some_and(|shown| shown.contains(SECRET)), "{refused:?}");
    let Ok(uri) = GatewayUri::parse(text) else { return };
    let shown = uri.to_string();
    assert!(!shown.contains(['@', '?', '#', '\n']) && !shown.ends_with('/'), "{shown}");
    let again = GatewayUri::parse(&shown).expect("a shown URI is valid");
    assert_eq!(again.to_string(), shown);
    assert_eq!(format!("{again:?}").len() > shown.len(), !shown.is_empty());
    assert_eq!((again.is_https(), again.root().to_string()), (uri.is_https(), uri.root().to_string()));
    let root = uri.root();
    assert!(shown.starts_with(&root.to_string()) && root.root().to_string() == root.to_string());
    assert!(uri.path_of_same_server(&shown).is_some(), "{shown} is on another server than itself");
    assert!(uri.path_of_same_server("http://other.example.invalid/").is_none());
    let below = uri.absolute("/a/b");
    assert_eq!(below, format!("{shown}/a/b"));
    assert_eq!(uri.absolute(&below), below);
}

/// The URL of a proxy, whose credentials are replaced.
fn proxy(text: &str) {
    let with_secret = match text.rsplit_once('@') {
        Some((before, after)) => format!("{before}{SECRET}@{after}"),
        None => text.to_owned(),
    };
    let (plain, shown) = (http::proxy(text), http::proxy(&with_secret));
    assert_eq!(plain.is_ok(), shown.is_ok());
    if with_secret != text {
        let shown = shown.unwrap_or_else(|problem| problem);
        assert!(!shown.contains(SECRET), "{shown}");
        let option = client::handle_option("proxy", &with_secret).unwrap_or_else(|error| error.message().to_owned());
        assert!(!option.contains(SECRET), "{option}");
    }
}

/// Two lists of hosts, and a URI.
fn no_proxy(text: &str) {
    let mut lines = text.splitn(3, '\n');
    let (Some(one), Some(other), Some(uri)) = (lines.next(), lines.next(), lines.next()) else { return };
    let Ok(uri) = GatewayUri::parse(uri) else { return };
    let names = |list: &str| http::is_in_no_proxy(list, &uri);
    let either = names(one) || names(other);
    assert_eq!(names(&format!("{one},{other}")), either);
    assert_eq!(names(&format!("{other} , {one} ")), either);
    assert!(names(&format!("{one},*")));
    assert!(!names(""));
}

/// The name of an option, and its value.
fn option(text: &str) {
    let (name, value) = text.split_once('\n').unwrap_or((text, ""));
    // The fuzzer must not open existing files.
    if name.ends_with("_file") && !value.is_empty() {
        return;
    }
    let known = options::handle_options().iter().any(|other| other == name);
    let is_for_requests = options::request_options().iter().any(|other| other == name);
    let set = client::handle_option(name, value);
    let unknown = |error: &mlflow_ai_gateway::client::Error| error.message().contains("unknown option");
    assert_eq!(set.as_ref().err().is_some_and(unknown), !known, "{name}");
    let set_for_request = client::request_option(name, value);
    if is_for_requests {
        assert_eq!(set.is_ok(), set_for_request.is_ok(), "{name}");
    } else {
        assert!(set_for_request.is_err(), "{name}");
    }
    if matches!(name, "password" | "bearer_token" | "client_secret") && value.len() > 6 {
        let shown = set.unwrap_or_else(|error| error.message().to_owned());
        let blank = client::handle_option(name, "").expect("an option can be reset");
        assert!(!shown.contains(value) || blank.contains(value), "{shown}");
    }
}

/// A section, a key, and an INI file.
fn ini(text: &str) {
    let mut lines = text.splitn(3, '\n');
    let (Some(section), Some(name), Some(file)) = (lines.next(), lines.next(), lines.next()) else { return };
    let value = client::ini_value(file, section, name);
    let has_section = client::ini_has_section(file, section);
    if let Some(value) = value {
        assert!(has_section && !value.is_empty() && !value.contains('\n') && value == value.trim());
    }
    let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_plain(section) && is_plain(name) {
        let more = format!("{file}\n[{section}]\n{name} = {SECRET}\n");
        assert_eq!(client::ini_value(&more, section, name), Some(SECRET));
        let more = format!("{more}[{section}other]\n{name} = other\n[{section}]\n# {name} = other\n");
        assert_eq!(client::ini_value(&more, section, name), Some(SECRET));
    }
}

/// The gateway's URI, variables as `NAME=value`, an empty line, and the file of Databricks profiles.
fn environment(text: &str) {
    let (head, file) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let gateway = lines.next().filter(|gateway| !gateway.is_empty());
    let variables: Vec<_> = lines.filter_map(|line| line.split_once('=')).collect();
    let file: Vec<_> = file.lines().map(with_secret_in_line).collect();
    let file = File::of(file.join("\n").as_bytes());
    let variable = |name: &str| match name {
        "DATABRICKS_CONFIG_FILE" => Ok(file.path().to_owned()),
        // The fuzzer must not open existing files.
        "HOME" => Ok("/nowhere".to_owned()),
        _ if name.ends_with("_BUNDLE") || name.ends_with("_PATH") => Err(VarError::NotPresent),
        _ => {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(name, value)| with_secret(name, value)).ok_or(VarError::NotPresent)
        }
    };
    let found = client::environment(gateway, &variable);
    let shown = found.unwrap_or_else(|error| error.message().to_owned());
    assert!(!shown.contains(SECRET), "{shown}");
    check_server_of_key(gateway, &variable);
}

/// Checks that the key of OpenAI's API is sent only to the server of `OPENAI_BASE_URL`.
fn check_server_of_key(gateway: Option<&str>, variable: &dyn Fn(&str) -> Result<String, VarError>) {
    const KEY: &str = "a-key-of-openai";
    let with_key = |name: &str| if name == "OPENAI_API_KEY" { Ok(KEY.to_owned()) } else { variable(name) };
    let Some((uri, credentials)) = client::credentials(gateway, &with_key) else { return };
    if credentials.iter().any(|credential| credential.contains(KEY)) {
        let base = variable("OPENAI_BASE_URL").unwrap_or_default();
        let base = base.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'');
        let base = if base.is_empty() { "https://api.openai.com/v1" } else { base };
        let base = GatewayUri::parse(base).expect("a key has a server");
        let uri = GatewayUri::parse(&uri).expect("a shown URI is valid");
        assert!(uri.is_same_server(&base), "the key of {base} goes to {uri}");
    }
}

/// Returns the value of a variable, with the secret inserted if it has credentials.
fn with_secret(name: &str, value: &str) -> String {
    match value.rsplit_once('@') {
        _ if ["_TOKEN", "_PASSWORD", "_SECRET", "_API_KEY"].iter().any(|end| name.ends_with(end)) => {
            format!("{value}{SECRET}")
        }
        Some((before, after)) if ["http_proxy", "https_proxy", "all_proxy"].contains(&&*name.to_ascii_lowercase()) => {
            format!("{before}{SECRET}@{after}")
        }
        _ => value.to_owned(),
    }
}

fn with_secret_in_line(line: &str) -> String {
    let is_secret = line.starts_with("token =") || line.starts_with("client_secret =");
    if is_secret { format!("{line}{SECRET}") } else { line.to_owned() }
}
