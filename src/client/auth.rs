//! Who the client is: what it was told, and what goes into its requests.

use std::sync::Arc;

use super::token_cache::Tokens;
use crate::http::{Headers, Secret};

/// What a setting can be about. Those of one kind belong together.
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

/// The header that says who the client is. MLflow's tracking server looks at its own first, so that the usual one is
/// free for a proxy before it.
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
    given: Vec<Credential>,
    pub header: AuthHeader,
    /// Whether credentials may go where others can read them.
    pub allow_insecure: bool,
    /// Those of the OAuth client.
    pub tokens: Arc<Tokens>,
}

#[derive(Debug, Clone)]
struct Credential {
    part: CredentialPart,
    secret: Secret,
    /// Whether it comes from the environment or a file.
    is_default: bool,
}

/// An OAuth client, which gets its tokens by an id and a secret.
#[derive(Debug, Clone, Copy)]
pub(super) struct OAuthClient<'a> {
    pub id: &'a Secret,
    pub secret: &'a Secret,
}

impl Auth {
    /// Sets a part, or takes it back. Whoever says who they are by one kind does not mean what the environment says by
    /// another.
    pub fn set(&mut self, part: CredentialPart, secret: Option<Secret>) {
        self.given.retain(|given| {
            given.part != part && !(given.is_default && secret.is_some() && given.part.kind() != part.kind())
        });
        self.given.extend(secret.map(|secret| Credential { part, secret, is_default: false }));
        if part.kind() == CredentialKind::Client {
            self.tokens = Arc::default();
        }
    }

    /// Makes all that was set give way to what is set later.
    pub fn make_default(&mut self) {
        self.given.iter_mut().for_each(|given| given.is_default = true);
    }

    fn get(&self, part: CredentialPart) -> Option<&Secret> {
        self.given.iter().find(|given| given.part == part).map(|given| &given.secret)
    }

    /// The headers and, unless they have it already, the one that says who the client is. What it is made of is masked
    /// in any case.
    pub fn add_to(&self, mut headers: Headers) -> Headers {
        for given in
            self.given.iter().filter(|given| !matches!(given.part, CredentialPart::Username | CredentialPart::ClientId))
        {
            headers.mask(&given.secret);
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

    /// The headers of a request with a token.
    pub fn add_token(&self, headers: &Headers, token: &Secret) -> Headers {
        headers.clone().or_secret(self.header.name(), &Secret::bearer(token.expose()))
    }

    /// The OAuth client, if there is one and these headers do not say already who the client is.
    pub fn client(&self, headers: &Headers) -> Option<OAuthClient<'_>> {
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
            .given
            .iter()
            .filter(|given| !matches!(given.part, CredentialPart::Username | CredentialPart::ClientId))
            .count();
        let headers = auth.add_to(Headers::default());
        let all: Vec<_> = headers.secrets().map(str::to_owned).collect();
        all[..all.len() - hidden].to_vec()
    }

    #[test]
    fn a_pair_goes_before_a_token() {
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
    fn what_is_set_goes_before_what_was_found() {
        let mut auth = Auth::default();
        auth.set(CredentialPart::Username, secret("me"));
        auth.set(CredentialPart::Password, secret("p"));
        auth.make_default();
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
    fn an_oauth_client_is_one_only_where_nothing_else_is() {
        let mut auth = Auth::default();
        auth.set(CredentialPart::ClientId, secret("id"));
        assert!(auth.client(&Headers::default()).is_none());
        auth.set(CredentialPart::ClientSecret, secret("s"));
        assert!(auth.client(&Headers::default()).is_some());
        auth.set(CredentialPart::BearerToken, secret("t"));
        assert!(auth.client(&auth.add_to(Headers::default())).is_none());
    }
}
