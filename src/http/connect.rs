//! ureq's own resolver and connector, with the phase noted on each error: ureq alone does not tell a refused
//! connection from one that broke later, and a caller must know whether anything was sent.

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{ConnectionDetails, Connector, DefaultConnector, NextTimeout};

use super::failure::{InPhase, Phase};

#[derive(Debug, Default)]
pub(super) struct PhasedResolver(DefaultResolver);

impl Resolver for PhasedResolver {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        self.0.resolve(uri, config, timeout).map_err(InPhase::wrap(Phase::Resolve))
    }
}

#[derive(Debug, Default)]
pub(super) struct PhasedConnector(DefaultConnector);

impl Connector for PhasedConnector {
    type Out = <DefaultConnector as Connector>::Out;

    fn connect(&self, details: &ConnectionDetails, chained: Option<()>) -> Result<Option<Self::Out>, Error> {
        self.0.connect(details, chained).map_err(InPhase::wrap(Phase::Connect))
    }
}
