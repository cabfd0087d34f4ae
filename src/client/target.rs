//! The routes of one server that calls go to: the handle's own, and those that requests name.

use std::sync::Arc;

use super::discovery::Discovery;
use super::error::{Error, Status};
use crate::dialect::Dialect;
use crate::http::{Agent, GatewayUri};
use crate::sync::Lock;

/// Longer names exist nowhere in MLflow; the limit only keeps a mistake from becoming a request.
const MAX_NAME: usize = 256;

/// What stands before the name where MLflow's users write a route as a model's URI.
const SCHEME: &str = "gateway:/";

/// So many routes are remembered for certain, and at most twice as many at all.
const REMEMBERED: usize = 1000;

/// A server, its connections, and what is known of its routes.
#[derive(Debug)]
pub(super) struct Target {
    /// The handle's own.
    pub own: Option<TargetRoute>,
    others: Lock<Generations>,
    pub uri: GatewayUri,
    pub agent: Agent,
    pub spoken: LastDialect,
}

/// A route, and what was learned of it.
#[derive(Debug)]
pub(super) struct TargetRoute {
    pub name: String,
    pub discovery: Discovery,
}

/// The route of one call.
#[derive(Debug)]
pub(super) enum CallRoute<'a> {
    Own(&'a TargetRoute),
    Other(Arc<TargetRoute>),
}

impl Target {
    pub fn new(own: Option<&str>, uri: GatewayUri) -> Target {
        Target {
            own: own.map(TargetRoute::new),
            others: Lock::default(),
            uri,
            agent: Agent::default(),
            spoken: LastDialect::default(),
        }
    }

    /// The route of this name; without one, the handle's own, if it has one.
    pub fn route(&self, name: Option<&str>) -> Option<CallRoute<'_>> {
        match (name, &self.own) {
            (Some(name), Some(own)) if own.name == name => Some(CallRoute::Own(own)),
            (Some(name), _) => Some(CallRoute::Other(self.other(name))),
            (None, own) => own.as_ref().map(CallRoute::Own),
        }
    }

    fn other(&self, name: &str) -> Arc<TargetRoute> {
        let (route, forgotten) = self.others.lock().get(name);
        // Outside of the lock.
        drop(forgotten);
        route
    }
}

/// The name of a route as a caller gives it: the name itself, or `gateway:/` and the name.
pub(super) fn route_name(given: &str) -> Result<&str, Error> {
    let name = given.strip_prefix(SCHEME).unwrap_or(given);
    let problem = if name.is_empty() {
        "the route is empty; name a route (endpoint) of the gateway".to_owned()
    } else if name.len() > MAX_NAME {
        format!("the route's name is {} bytes long; {MAX_NAME} are allowed", name.len())
    } else if name == "." || name == ".." {
        format!("the route's name is \"{name}\", which means a folder in a URL")
    } else {
        return Ok(name);
    };
    Err(Error::new(Status::InvalidArgument, problem))
}

impl TargetRoute {
    fn new(name: &str) -> TargetRoute {
        TargetRoute { name: name.to_owned(), discovery: Discovery::default() }
    }
}

impl CallRoute<'_> {
    pub fn get(&self) -> &TargetRoute {
        match self {
            CallRoute::Own(route) => route,
            CallRoute::Other(route) => route,
        }
    }
}

/// In the order of their names.
type Routes = Vec<Arc<TargetRoute>>;

/// The routes that requests have named: those since the last change of generation, and those before it that were not
/// named again. So what is named often stays, and memory is bounded however many names there are.
#[derive(Debug, Default)]
struct Generations {
    young: Routes,
    old: Routes,
}

impl Generations {
    /// The route of this name, and the routes that are forgotten for it.
    fn get(&mut self, name: &str) -> (Arc<TargetRoute>, Routes) {
        let find = |routes: &Routes| routes.binary_search_by(|route| route.name.as_str().cmp(name));
        let mut place = match find(&self.young) {
            Ok(place) => return (Arc::clone(&self.young[place]), Routes::new()),
            Err(place) => place,
        };
        let route = match find(&self.old) {
            Ok(place) => self.old.remove(place),
            Err(_) => Arc::new(TargetRoute::new(name)),
        };
        let mut forgotten = Routes::new();
        if self.young.len() == REMEMBERED {
            forgotten = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            place = 0;
        }
        self.young.insert(place, Arc::clone(&route));
        (route, forgotten)
    }
}

/// The dialect in which the server last answered anything.
#[derive(Debug, Default)]
pub(super) struct LastDialect(Lock<Option<&'static dyn Dialect>>);

impl LastDialect {
    /// The one of these dialects in which the server last answered.
    pub fn of(&self, dialects: &[&'static dyn Dialect]) -> Option<&'static dyn Dialect> {
        let spoken = (*self.0.lock())?;
        dialects.iter().copied().find(|dialect| *dialect == spoken)
    }

    /// These dialects, beginning with the one in which the server last answered.
    pub fn in_order(&self, dialects: &[&'static dyn Dialect]) -> Vec<&'static dyn Dialect> {
        let spoken = self.of(dialects);
        let others = dialects.iter().copied().filter(|dialect| Some(*dialect) != spoken);
        spoken.into_iter().chain(others).collect()
    }

    pub fn note(&self, dialect: &'static dyn Dialect) {
        *self.0.lock() = Some(dialect);
    }

    /// The server was replaced.
    pub fn forget(&self, wrong: &'static dyn Dialect) {
        self.0.lock().take_if(|dialect| *dialect == wrong);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect;

    fn target(own: Option<&str>) -> Target {
        Target::new(own, GatewayUri::parse("http://h").unwrap())
    }

    fn other(target: &Target, name: &str) -> Arc<TargetRoute> {
        match target.route(Some(name)) {
            Some(CallRoute::Other(route)) => route,
            found => panic!("{found:?}"),
        }
    }

    #[test]
    fn each_name_is_one_route() {
        let with_own = target(Some("own"));
        let own = with_own.own.as_ref().unwrap();
        for name in [None, Some("own")] {
            assert!(
                matches!(with_own.route(name), Some(CallRoute::Own(route)) if std::ptr::eq(route, own)),
                "{name:?}"
            );
        }
        let a = other(&with_own, "a");
        assert!(Arc::ptr_eq(&a, &other(&with_own, "a")) && !Arc::ptr_eq(&a, &other(&with_own, "b")));
        let without = target(None);
        assert!(without.route(None).is_none());
        assert_eq!(other(&without, "a").name, "a");
    }

    #[test]
    fn memory_is_bounded_and_what_is_named_often_stays() {
        let target = target(None);
        let often = other(&target, "often");
        for number in 0..100_000 {
            let name = number.to_string();
            assert_eq!(other(&target, &name).name, name);
            if number % (REMEMBERED / 2) == 0 {
                assert!(Arc::ptr_eq(&often, &other(&target, "often")), "{number}");
            }
            let known = target.others.lock();
            assert!(known.young.len() + known.old.len() <= 2 * REMEMBERED);
        }
    }

    #[test]
    fn name_may_be_a_models_uri() {
        assert_eq!(route_name("a").unwrap(), "a");
        assert_eq!(route_name("gateway:/a").unwrap(), "a");
        assert_eq!(route_name("org/model:7b").unwrap(), "org/model:7b");
        for given in ["", "gateway:/", ".", "gateway:/..", &"a".repeat(MAX_NAME + 1)] {
            assert_eq!(route_name(given).unwrap_err().status(), Status::InvalidArgument, "{given}");
        }
        assert!(route_name(&format!("gateway:/{}", "a".repeat(MAX_NAME))).is_ok());
    }

    #[test]
    fn server_has_one_dialect_for_all_routes() {
        let spoken = LastDialect::default();
        let all = &dialect::DISCOVERED;
        assert_eq!(spoken.of(all), None);
        spoken.note(all[2]);
        assert_eq!(spoken.of(all), Some(all[2]));
        assert_eq!(spoken.of(&all[..1]), None);
        assert_eq!(spoken.in_order(all), [all[2], all[0], all[1], all[3]]);
        spoken.forget(all[0]);
        assert_eq!(spoken.of(all), Some(all[2]));
        spoken.forget(all[2]);
        assert_eq!(spoken.of(all), None);
    }
}
