//! ureq's own connector, with the phase noted on each error: ureq alone does not tell a refused connection from one
//! that broke later, and a caller must know whether anything was sent.

use ureq::Error;
use ureq::unversioned::transport::{ConnectionDetails, Connector, DefaultConnector};

use super::failure::{InPhase, Phase};

#[derive(Debug, Default)]
pub(super) struct PhasedConnector(DefaultConnector);

impl Connector for PhasedConnector {
    type Out = <DefaultConnector as Connector>::Out;

    fn connect(&self, details: &ConnectionDetails, chained: Option<()>) -> Result<Option<Self::Out>, Error> {
        self.0.connect(details, chained).map_err(InPhase::wrap(Phase::Connect))
    }
}
