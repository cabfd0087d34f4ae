//! How the gateway is reached: through which proxy, and with which TLS.

use super::error::TransportError;
use super::proxy::Proxy;
use super::secret::Secret;
use super::tls::{Tls, TlsSetting};
use super::uri::GatewayUri;

/// Connections are kept apart by it: what was made on one way is not used on another.
#[derive(Debug, Clone)]
pub struct ConnectSettings {
    pub(super) tls: Tls,
    /// Or what is wrong with it: whoever names a proxy does not want to go past it.
    proxy: Result<Option<Proxy>, String>,
    /// What the environment names, for when an option is taken back.
    of_environment: Result<Option<Proxy>, String>,
}

/// One change to it.
pub enum ConnectSetting {
    Tls(TlsSetting),
    Proxy(ProxySetting),
}

/// Which proxy to go through.
pub struct ProxySetting(Choice);

enum Choice {
    OfEnvironment,
    None,
    This(Proxy),
}

impl ProxySetting {
    /// A URL, `none`, or nothing for the one that the environment names.
    pub fn parse(value: &str) -> Result<ProxySetting, String> {
        Ok(ProxySetting(match value {
            "" => Choice::OfEnvironment,
            "none" => Choice::None,
            url => Choice::This(Proxy::parse(url, "its value")?),
        }))
    }
}

impl Default for ConnectSettings {
    fn default() -> ConnectSettings {
        ConnectSettings { tls: Tls::default(), proxy: Ok(None), of_environment: Ok(None) }
    }
}

impl ConnectSettings {
    /// The one to this gateway that the environment, read by `variable`, describes.
    pub fn from_environment(gateway: &GatewayUri, variable: &dyn Fn(&str) -> Option<String>) -> ConnectSettings {
        let proxy = Proxy::from_environment(gateway, variable);
        ConnectSettings { tls: Tls::default(), proxy: proxy.clone(), of_environment: proxy }
    }

    /// The same, from whose settings later ones may differ without contradicting them.
    pub fn as_default(&self) -> ConnectSettings {
        ConnectSettings { tls: self.tls.as_default(), ..self.clone() }
    }

    /// The same with one change.
    pub fn with(&self, setting: ConnectSetting) -> Result<ConnectSettings, String> {
        let mut way = self.clone();
        match setting {
            ConnectSetting::Tls(setting) => way.tls = self.tls.with(setting)?,
            ConnectSetting::Proxy(ProxySetting(choice)) => {
                way.proxy = match choice {
                    Choice::OfEnvironment => self.of_environment.clone(),
                    Choice::None => Ok(None),
                    Choice::This(proxy) => Ok(Some(proxy)),
                };
            }
        }
        Ok(way)
    }

    /// Why no connection can be made on it, whatever the server does.
    pub fn unusable(&self) -> Option<&str> {
        self.tls.unusable()
    }

    pub(super) fn proxy(&self) -> Result<Option<&Proxy>, TransportError> {
        self.proxy
            .as_ref()
            .map(Option::as_ref)
            .map_err(|problem| TransportError::Proxy { why: problem.clone(), is_lasting: true })
    }

    /// The proxy that passes on what it is sent, as it does for http:// gateways; to others it makes a tunnel.
    pub(super) fn forwarder(&self, gateway: &GatewayUri) -> Option<&Proxy> {
        if gateway.is_https() { None } else { self.proxy.as_ref().ok()?.as_ref() }
    }

    /// Whether others can read on it what is sent.
    pub fn is_open_to_others(&self, gateway: &GatewayUri) -> bool {
        let is_local = gateway.is_loopback() && self.forwarder(gateway).is_none_or(Proxy::is_loopback);
        !gateway.is_https() && !is_local
    }

    /// The proxy's password and how it is sent, to be masked where they are repeated.
    pub fn secrets(&self) -> Vec<Secret> {
        let Ok(Some(proxy)) = &self.proxy else { return Vec::new() };
        proxy.authorization().into_iter().chain(proxy.password()).cloned().collect()
    }
}
