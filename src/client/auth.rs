//! Credentials: which are set, and which of them a request carries in which header.

use std::sync::Arc;

use super::token_cache::Tokens;
use crate::http::{Headers, Secret};

/// What an option sets. Parts of one kind make up one way to authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CredentialPart {
    Username,
    Password,
    BearerToken,
    ClientId,
    ClientSecret,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CredentialKind {
    Basic,
    Bearer,
    Client,
}

impl CredentialPart {
    fn kind(self) -> CredentialKind {
        match self {
            CredentialPart::Username | CredentialPart::Password => CredentialKind::Basic,
            CredentialPart::BearerToken => CredentialKind::Bearer,
            CredentialPart::ClientId | CredentialPart::ClientSecret => CredentialKind::Client,
        }
    }
}

/// The header that carries the credentials. MLflow's tracking server prefers its own header, which leaves `Authorization`
/// to a proxy in front of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum AuthHeader {
    #[default]
    Authorization,
    MlflowAuthorization,
}

impl AuthHeader {
    fn name(self) -> &'static str {
        match self {
            AuthHeader::Authorization => "authorization",
            AuthHeader::MlflowAuthorization => "x-mlflow-authorization",
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Auth {
    credentials: Vec<Credential>,
    pub header: AuthHeader,
    /// Whether credentials may be sent over unencrypted connections.
    pub allow_insecure: bool,
    /// Access tokens of the OAuth client.
    pub tokens: Arc<Tokens>,
}

#[derive(Debug, Clone)]
struct Credential {
    part: CredentialPart,
    secret: Secret,
    /// Whether it was found in the environment or a file.
    is_default: bool,
}

/// The credentials with which an OAuth client obtains access tokens.
#[derive(Debug, Clone, Copy)]
pub(super) struct OAuthClient<'a> {
    pub id: &'a Secret,
    pub secret: &'a Secret,
}

impl Auth {
    /// Sets or unsets a part. Setting one kind of credentials discards the other kinds found in the environment.
    pub fn set(&mut self, part: CredentialPart, secret: Option<Secret>) {
        self.credentials.retain(|credential| {
            credential.part != part
                && !(credential.is_default && secret.is_some() && credential.part.kind() != part.kind())
        });
        self.credentials.extend(secret.map(|secret| Credential { part, secret, is_default: false }));
        if part.kind() == CredentialKind::Client {
            self.tokens = Arc::default();
        }
    }

    /// Marks all credentials as found in the environment.
    pub fn mark_as_default(&mut self) {
        self.credentials.iter_mut().for_each(|credential| credential.is_default = true);
    }

    fn get(&self, part: CredentialPart) -> Option<&Secret> {
        self.credentials.iter().find(|credential| credential.part == part).map(|credential| &credential.secret)
    }

    /// Adds the credentials to `headers`, unless these have the header already. Secrets are masked in any case.
    pub fn add_to(&self, mut headers: Headers) -> Headers {
        let is_secret = |part| !matches!(part, CredentialPart::Username | CredentialPart::ClientId);
        for credential in self.credentials.iter().filter(|credential| is_secret(credential.part)) {
            headers.mask(&credential.secret);
        }
        let pair = |name, secret| Some(Secret::basic(self.get(name)?.expose(), self.get(secret)?.expose()));
        if let Some(client) = pair(CredentialPart::ClientId, CredentialPart::ClientSecret) {
            headers.mask(&client);
        }
        let basic = pair(CredentialPart::Username, CredentialPart::Password);
        let bearer = || Some(Secret::bearer(self.get(CredentialPart::BearerToken)?.expose()));
        match basic.or_else(bearer) {
            Some(value) => headers.or_secret(self.header.name(), &value),
            None => headers,
        }
    }

    /// Adds an access token to `headers`.
    pub fn add_token(&self, headers: &Headers, token: &Secret) -> Headers {
        headers.clone().or_secret(self.header.name(), &Secret::bearer(token.expose()))
    }

    /// Returns the OAuth client, if one is set and `headers` have no credentials.
    pub fn oauth_client(&self, headers: &Headers) -> Option<OAuthClient<'_>> {
        let client =
            OAuthClient { id: self.get(CredentialPart::ClientId)?, secret: self.get(CredentialPart::ClientSecret)? };
        (!headers.has(self.header.name())).then_some(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Option<Secret> {
        Some(Secret::new(text))
    }

    fn sent(auth: &Auth) -> Vec<String> {
        let hidden = auth
            .credentials
            .iter()
            .filter(|credential| !matches!(credential.part, CredentialPart::Username | CredentialPart::ClientId))
            .count();
        let headers = auth.add_to(Headers::default());
        let all: Vec<_> = headers.secrets().map(str::to_owned).collect();
        all[..all.len() - hidden].to_vec()
    }

    #[test]
    fn password_takes_precedence_over_token() {
        let mut auth = Auth::default();
        auth.set(CredentialPart::BearerToken, secret("t"));
        auth.set(CredentialPart::Username, secret("me"));
        assert_eq!(sent(&auth), ["Bearer t"]);
        auth.set(CredentialPart::Password, secret("p"));
        assert_eq!(sent(&auth), ["Basic bWU6cA=="]);
        auth.set(CredentialPart::Password, None);
        auth.set(CredentialPart::BearerToken, secret("u"));
        assert_eq!(sent(&auth), ["Bearer u"]);
    }

    #[test]
    fn set_credentials_take_precedence_over_those_of_the_environment() {
        let mut auth = Auth::default();
        auth.set(CredentialPart::Username, secret("me"));
        auth.set(CredentialPart::Password, secret("p"));
        auth.mark_as_default();
        auth.set(CredentialPart::BearerToken, None);
        assert_eq!(sent(&auth), ["Basic bWU6cA=="]);
        let mut other = auth.clone();
        other.set(CredentialPart::Password, secret("q"));
        assert_eq!(sent(&other), ["Basic bWU6cQ=="]);
        auth.set(CredentialPart::BearerToken, secret("t"));
        assert_eq!(sent(&auth), ["Bearer t"]);
        let mut none = other.clone();
        none.set(CredentialPart::Username, None);
        assert!(sent(&none).is_empty());
    }

    #[test]
    fn oauth_client_is_used_only_without_other_credentials() {
        let mut auth = Auth::default();
        auth.set(CredentialPart::ClientId, secret("id"));
        assert!(auth.oauth_client(&Headers::default()).is_none());
        auth.set(CredentialPart::ClientSecret, secret("s"));
        assert!(auth.oauth_client(&Headers::default()).is_some());
        auth.set(CredentialPart::BearerToken, secret("t"));
        assert!(auth.oauth_client(&auth.add_to(Headers::default())).is_none());
    }
}
