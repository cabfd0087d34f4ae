//! Tests of the whole: variables in, URI and options out.

use std::env::VarError;
use std::time::Duration;

use super::connection::{INSECURE, ROUTES_TIMEOUT, TIMEOUT, TRUSTED};
use super::mlflow::{TRACKING_URI, URI};
use super::openai::{API_KEY, BASE_URL, DEFAULT_BASE_URL};
use super::*;
use crate::client::option_parser::HandleOption;

fn find(gateway: Option<&str>, variables: &[(&str, &str)]) -> Result<EnvironmentSettings, Error> {
    let read = |name: &str| {
        let found = variables.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| (*value).to_owned()).ok_or(VarError::NotPresent)
    };
    super::find(&Variables(&read), gateway)
}

#[test]
fn first_uri_variable_that_is_set_takes_precedence() {
    let uri = |variables: &[(&str, &str)]| find(None, variables).map(|found| found.uri.to_string());
    assert_eq!(uri(&[(URI[1], "http://b"), (URI[0], "http://a")]).unwrap(), "http://a");
    assert_eq!(uri(&[(URI[1], "http://b"), (URI[0], "")]).unwrap(), "http://b");
    assert_eq!(uri(&[]).unwrap_err().status(), Status::NoGatewayUri);
    let error = uri(&[(URI[1], "b")]).unwrap_err();
    assert!(error.message().contains(URI[1]), "{error}");
}

#[test]
fn tracking_uri_is_used_last_and_only_if_it_names_a_server() {
    let uri = |variables: &[(&str, &str)]| find(None, variables).map(|found| found.uri.to_string());
    assert_eq!(uri(&[(TRACKING_URI, " HTTP://t:5000/\n")]).unwrap(), "HTTP://t:5000");
    assert_eq!(uri(&[(TRACKING_URI, "http://t"), (URI[1], "http://b")]).unwrap(), "http://b");
    let databricks = [(TRACKING_URI, "databricks"), ("DATABRICKS_HOST", "w.example")];
    assert_eq!(uri(&databricks).unwrap(), "https://w.example");
    for store in ["sqlite:///m.db", "file:///x", "./mlruns", "databricks-uc", "httpx://h", "é", "openai"] {
        let error = uri(&[(TRACKING_URI, store)]).unwrap_err();
        assert_eq!(error.status(), Status::NoGatewayUri, "{store}");
        assert!(error.message().contains(TRACKING_URI) && error.message().contains(URI[0]), "{error}");
    }
    let error = uri(&[(TRACKING_URI, "http://me:hunter2@h")]).unwrap_err();
    assert!(error.message().contains(TRACKING_URI) && !error.message().contains("hunter2"), "{error}");
}

fn dialect(found: &EnvironmentSettings) -> Option<&'static str> {
    found.options.dialect.map(|dialect| dialect.name())
}

/// Returns the bearer token of requests.
fn bearer(found: &EnvironmentSettings) -> Option<String> {
    let sent = found.options.request_headers(&crate::http::Headers::default());
    sent.secrets().find_map(|secret| secret.strip_prefix("Bearer ")).map(str::to_owned)
}

#[test]
fn v1_path_selects_openai_dialect_but_not_its_key() {
    let variables = [(API_KEY, "sk-1"), ("MLFLOW_TRACKING_TOKEN", "t-1")];
    let found = find(Some("http://gateway/mlflow/v1"), &variables).unwrap();
    assert_eq!((dialect(&found), found.uri.to_string().as_str()), (Some("openai"), "http://gateway/mlflow/v1"));
    assert_eq!(bearer(&found).as_deref(), Some("t-1"));
    assert_eq!(dialect(&find(Some("http://gateway"), &variables).unwrap()), None);
}

#[test]
fn openai_key_is_sent_only_to_the_server_of_openai_base_url() {
    let own = "https://llm.example:8443/openai/v1";
    let variables = [
        (API_KEY, " sk-1\n"),
        (BASE_URL, " \"https://llm.example:8443/openai/v1/\""),
        ("MLFLOW_TRACKING_TOKEN", "t-1"),
        ("MLFLOW_TRACKING_INSECURE_TLS", "true"),
        (TRUSTED[0], "/nowhere"),
        ("MLFLOW_WORKSPACE", "w"),
    ];
    for uri in ["openai", own, "https://LLM.example:8443/v1"] {
        let found = find(Some(uri), &variables).unwrap();
        assert_eq!((dialect(&found), bearer(&found).as_deref()), (Some("openai"), Some("sk-1")), "{uri}");
        assert!(found.uri.to_string().eq_ignore_ascii_case(if uri == "openai" { own } else { uri }));
        assert_eq!(
            (found.options.workspace, found.options.connect.configuration_error()),
            (None, None),
            "workspace and TLS settings are for MLflow only"
        );
    }
    let variables = &variables[..3];
    for uri in [
        "https://llm.example/v1",
        "http://llm.example:8443/v1",
        "https://api.openai.com/v1",
        "https://llm.example:8443/openai",
        "http://127.0.0.1/v1",
    ] {
        assert_eq!(bearer(&find(Some(uri), variables).unwrap()).as_deref(), Some("t-1"), "{uri}");
    }
    let found = find(None, &[(URI[1], "openai"), (API_KEY, "sk-1"), ("MLFLOW_TRACKING_TOKEN", "t-1")]).unwrap();
    assert_eq!((found.uri.to_string().as_str(), bearer(&found).as_deref()), (DEFAULT_BASE_URL, Some("sk-1")));
    let found = find(Some(DEFAULT_BASE_URL), &[("MLFLOW_TRACKING_TOKEN", "t-1")]).unwrap();
    assert_eq!(bearer(&found), None, "MLflow's token is not for OpenAI");
    assert_eq!(
        find(None, variables).unwrap_err().status(),
        Status::NoGatewayUri,
        "OPENAI_BASE_URL alone selects no gateway"
    );
    let error = find(Some("openai"), &[(BASE_URL, "http://me:hunter2@h/v1")]).unwrap_err();
    assert!(error.message().contains(BASE_URL) && !error.message().contains("hunter2"), "{error}");
    for uri in ["http://h", "http://h/v1"] {
        assert!(find(Some(uri), &[(BASE_URL, "no URI")]).is_ok(), "the URI names another server");
    }
}

#[test]
fn timeout_is_in_seconds_and_the_most_specific_variable_takes_precedence() {
    let ms = |variables: &[(&str, &str)]| {
        find(Some("http://h"), variables).map(|found| found.options.call.timeout.as_millis())
    };
    assert_eq!(ms(&[]).unwrap(), 300_000);
    assert_eq!(ms(&[(TIMEOUT[2], "2")]).unwrap(), 2_000);
    assert_eq!(ms(&[(TIMEOUT[2], "2"), (TIMEOUT[1], "4")]).unwrap(), 4_000);
    assert_eq!(ms(&[(TIMEOUT[1], "1"), (TIMEOUT[0], "3")]).unwrap(), 3_000);
    for value in ["0", "-1", "soon", "1.5", "99999999999999999999"] {
        let error = ms(&[(TIMEOUT[2], value)]).unwrap_err();
        assert_eq!(error.status(), Status::InvalidOptionValue);
        assert!(error.message().contains(TIMEOUT[2]), "{error}");
    }
}

#[test]
fn routes_timeout_is_separate_until_timeout_ms_is_set() {
    let options = find(Some("http://h"), &[(ROUTES_TIMEOUT[0], " 7\n"), (TIMEOUT[0], "3")]).unwrap().options;
    assert_eq!(
        (options.call.timeout, options.call.routes_timeout),
        (Duration::from_secs(3), Some(Duration::from_secs(7)))
    );
    let mut changed = options.clone();
    changed.set(HandleOption::parse("timeout_ms", "5").unwrap()).unwrap();
    assert_eq!(changed.call.routes_timeout, None);
}

#[test]
fn databricks_uri_selects_a_workspace() {
    let found = find(Some("databricks"), &[("DATABRICKS_HOST", "w.example/"), ("DATABRICKS_TOKEN", "t")]).unwrap();
    assert_eq!(found.uri.to_string(), "https://w.example");
    assert_eq!(found.options.dialect.unwrap().name(), "databricks");
    assert_eq!(find(Some("databricks"), &[]).unwrap_err().status(), Status::NoGatewayUri);
    let error = find(Some("databricks://p"), &[("DATABRICKS_HOST", "h")]).unwrap_err();
    assert!(error.message().contains("no profile \"p\""), "{error}");
    for uri in ["databricks://", "databricks://scope:prefix", "databricks:/", "databrickss://p"] {
        assert_eq!(find(Some(uri), &[]).unwrap_err().status(), Status::InvalidUri, "{uri}");
    }
}

#[test]
fn quotes_and_whitespace_around_a_uri_are_trimmed() {
    for uri in [" http://h", "http://h/\n", "\"http://h\"", "'http://h' \r\n", "\t\"http://h/\"\n"] {
        assert_eq!(find(None, &[(URI[0], uri)]).unwrap().uri.to_string(), "http://h", "{uri:?}");
    }
    assert_eq!(find(None, &[(URI[0], "\"\""), (URI[1], "http://b")]).unwrap().uri.to_string(), "http://b");
    let error = find(None, &[(URI[0], "http://a b")]).unwrap_err();
    assert!(error.message().contains(URI[0]), "{error}");
}

#[test]
fn databricks_host_may_be_a_url_copied_from_a_browser() {
    for (host, uri) in [
        ("https://adb-1.azuredatabricks.net/?o=1", "https://adb-1.azuredatabricks.net"),
        ("adb-1.azuredatabricks.net/browse/folders/2?o=1#job/3", "https://adb-1.azuredatabricks.net"),
        ("https://adb-1.azuredatabricks.net/#setting", "https://adb-1.azuredatabricks.net"),
        (" \"adb-1.azuredatabricks.net/\"\n", "https://adb-1.azuredatabricks.net"),
        ("https://proxy.example/databricks/", "https://proxy.example/databricks"),
    ] {
        assert_eq!(find(Some("databricks"), &[("DATABRICKS_HOST", host)]).unwrap().uri.to_string(), uri);
    }
    let error = find(Some("databricks"), &[("DATABRICKS_HOST", "https://me:hunter2@h/?o=1")]).unwrap_err();
    assert!(error.message().contains("DATABRICKS_HOST") && !error.message().contains("hunter2"), "{error}");
}

#[test]
fn insecure_tls_excludes_a_server_certificate() {
    let tls = |variables: &[(&str, &str)]| find(Some("https://h"), variables).map(drop);
    assert!(tls(&[(INSECURE, "True")]).is_ok());
    assert!(tls(&[(INSECURE, "0"), (TRUSTED[1], "")]).is_ok());
    assert!(tls(&[(INSECURE, "1"), (TRUSTED[1], "/nowhere")]).is_ok());
    for variables in [&[(INSECURE, "1"), (TRUSTED[0], "/x")][..], &[(INSECURE, "yes")]] {
        assert_eq!(tls(variables).unwrap_err().status(), Status::InvalidOptionValue);
    }
}

#[test]
fn unusable_tls_file_is_an_error_unless_an_option_replaces_it() {
    let variables = [(TRUSTED[2], "/nowhere"), ("MLFLOW_TRACKING_CLIENT_CERT_PATH", "/nowhere-else")];
    let mut options = find(Some("https://h"), &variables).unwrap().options;
    let mut set = |option, value| {
        options.set(HandleOption::parse(option, value).unwrap()).unwrap();
        options.connect.configuration_error().map(str::to_owned)
    };
    assert!(set("timeout_ms", "1").unwrap().contains("/nowhere cannot be read"));
    assert!(set("insecure_tls", "false").unwrap().contains(TRUSTED[2]));
    assert!(set("ca_file", "").unwrap().contains("/nowhere-else cannot be read"));
    assert_eq!(set("client_cert_file", ""), None);
    let options = find(Some("http://h"), &variables).unwrap().options;
    assert_eq!(options.connect.configuration_error(), None, "the file is for TLS only");
}
