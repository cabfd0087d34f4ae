//! Proxy and TLS settings: how to connect to a gateway.

use super::error::TransportError;
use super::proxy::Proxy;
use super::secret::Secret;
use super::tls::{Tls, TlsSetting};
use super::uri::GatewayUri;

/// A connection is reused only with the settings with which it was opened.
#[derive(Debug, Clone)]
pub struct ConnectSettings {
    pub(super) tls: Tls,
    /// `Err` if the proxy is unusable. Then no connection is made, rather than one without the proxy.
    proxy: Result<Option<Proxy>, String>,
    /// The proxy of the environment, which applies again when the option is unset.
    default_proxy: Result<Option<Proxy>, String>,
}

/// A change to one of the settings.
pub enum ConnectSetting {
    Tls(TlsSetting),
    Proxy(ProxySetting),
}

/// The proxy to go through.
pub struct ProxySetting(Choice);

enum Choice {
    FromEnvironment,
    None,
    Proxy(Proxy),
}

impl ProxySetting {
    /// Parses a proxy URL, `none`, or the empty string for the proxy of the environment.
    pub fn parse(value: &str) -> Result<ProxySetting, String> {
        Ok(ProxySetting(match value {
            "" => Choice::FromEnvironment,
            "none" => Choice::None,
            url => Choice::Proxy(Proxy::parse(url, "its value")?),
        }))
    }
}

impl Default for ConnectSettings {
    fn default() -> ConnectSettings {
        ConnectSettings { tls: Tls::default(), proxy: Ok(None), default_proxy: Ok(None) }
    }
}

impl ConnectSettings {
    /// Returns the settings for this gateway from the environment, which `variable` reads.
    pub fn from_environment(gateway: &GatewayUri, variable: &dyn Fn(&str) -> Option<String>) -> ConnectSettings {
        let proxy = Proxy::from_environment(gateway, variable);
        ConnectSettings { tls: Tls::default(), proxy: proxy.clone(), default_proxy: proxy }
    }

    /// Returns the same settings as defaults: later settings replace them without conflict.
    pub fn as_default(&self) -> ConnectSettings {
        ConnectSettings { tls: self.tls.as_default(), ..self.clone() }
    }

    /// Returns the same settings with one change.
    pub fn with(&self, setting: ConnectSetting) -> Result<ConnectSettings, String> {
        let mut changed = self.clone();
        match setting {
            ConnectSetting::Tls(setting) => changed.tls = self.tls.with(setting)?,
            ConnectSetting::Proxy(ProxySetting(choice)) => {
                changed.proxy = match choice {
                    Choice::FromEnvironment => self.default_proxy.clone(),
                    Choice::None => Ok(None),
                    Choice::Proxy(proxy) => Ok(Some(proxy)),
                };
            }
        }
        Ok(changed)
    }

    /// Returns why no connection can be made with these settings, if that is certain.
    pub fn configuration_error(&self) -> Option<&str> {
        self.tls.configuration_error()
    }

    pub(super) fn proxy(&self) -> Result<Option<&Proxy>, TransportError> {
        self.proxy
            .as_ref()
            .map(Option::as_ref)
            .map_err(|why| TransportError::Proxy { why: why.clone(), is_permanent: true })
    }

    /// Returns the proxy if it forwards requests, as for http:// gateways. For https:// gateways it opens a tunnel.
    pub(super) fn forwarding_proxy(&self, gateway: &GatewayUri) -> Option<&Proxy> {
        if gateway.is_https() { None } else { self.proxy.as_ref().ok()?.as_ref() }
    }

    /// Returns whether requests leave this machine unencrypted.
    pub fn sends_in_clear(&self, gateway: &GatewayUri) -> bool {
        let is_local = gateway.is_loopback() && self.forwarding_proxy(gateway).is_none_or(Proxy::is_loopback);
        !gateway.is_https() && !is_local
    }

    /// Returns the proxy's password, plain and as it is sent. They are masked in error messages.
    pub fn secrets(&self) -> Vec<Secret> {
        let Ok(Some(proxy)) = &self.proxy else { return Vec::new() };
        proxy.authorization().into_iter().chain(proxy.password()).cloned().collect()
    }
}
