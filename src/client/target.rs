//! The server of a handle, and what is known about its routes: the handle's own, and those that requests name.

use std::sync::Arc;

use super::discovery::Discovery;
use super::error::{Error, Status};
use crate::dialect::Dialect;
use crate::http::{Agent, GatewayUri};
use crate::sync::Lock;

/// No name in MLflow is longer.
const MAX_NAME: usize = 256;

/// The prefix of a route's name in the model URIs of MLflow.
const SCHEME: &str = "gateway:/";

/// The number of routes after which a new generation begins. At most twice as many are remembered.
const GENERATION_SIZE: usize = 1000;

/// A server, its connections, and what is known about its routes.
#[derive(Debug)]
pub(super) struct Target {
    /// The handle's own.
    pub own: Option<TargetRoute>,
    others: Lock<Generations>,
    pub uri: GatewayUri,
    pub agent: Agent,
    pub last_dialect: LastDialect,
}

/// A route, and what is known about it.
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
            last_dialect: LastDialect::default(),
        }
    }

    /// Returns the route of this name; without a name, the handle's own route, if any.
    pub fn route(&self, name: Option<&str>) -> Option<CallRoute<'_>> {
        match (name, &self.own) {
            (Some(name), Some(own)) if own.name == name => Some(CallRoute::Own(own)),
            (Some(name), _) => Some(CallRoute::Other(self.other(name))),
            (None, own) => own.as_ref().map(CallRoute::Own),
        }
    }

    fn other(&self, name: &str) -> Arc<TargetRoute> {
        let (route, evicted) = self.others.lock().get(name);
        // Dropped after the lock is released.
        drop(evicted);
        route
    }
}

/// Checks the name of a route, and removes the prefix `gateway:/`.
pub(super) fn route_name(given: &str) -> Result<&str, Error> {
    let name = given.strip_prefix(SCHEME).unwrap_or(given);
    let problem = if name.is_empty() {
        "the route is empty; name a route (endpoint) of the gateway".to_owned()
    } else if name.len() > MAX_NAME {
        format!("the route's name has {} bytes; the maximum is {MAX_NAME}", name.len())
    } else if name == "." || name == ".." {
        format!("the route's name is \"{name}\", which is a relative path in a URL")
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

/// Sorted by name.
type Routes = Vec<Arc<TargetRoute>>;

/// A cache of the routes that requests named: those used in this generation, and those used in the one before. Routes in
/// frequent use stay, and memory is bounded for any number of names.
#[derive(Debug, Default)]
struct Generations {
    young: Routes,
    old: Routes,
}

impl Generations {
    /// Returns the route of this name, and the routes that leave the cache.
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
        let mut evicted = Routes::new();
        if self.young.len() == GENERATION_SIZE {
            evicted = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            place = 0;
        }
        self.young.insert(place, Arc::clone(&route));
        (route, evicted)
    }
}

/// The dialect in which the server last responded.
#[derive(Debug, Default)]
pub(super) struct LastDialect(Lock<Option<&'static dyn Dialect>>);

impl LastDialect {
    /// Returns it if it is one of these dialects.
    pub fn among(&self, dialects: &[&'static dyn Dialect]) -> Option<&'static dyn Dialect> {
        let last = (*self.0.lock())?;
        dialects.iter().copied().find(|dialect| *dialect == last)
    }

    /// Returns these dialects, beginning with the last one in which the server responded.
    pub fn sort(&self, dialects: &[&'static dyn Dialect]) -> Vec<&'static dyn Dialect> {
        let last = self.among(dialects);
        let others = dialects.iter().copied().filter(|dialect| Some(*dialect) != last);
        last.into_iter().chain(others).collect()
    }

    pub fn set(&self, dialect: &'static dyn Dialect) {
        *self.0.lock() = Some(dialect);
    }

    /// Forgets this dialect: the server was replaced.
    pub fn forget(&self, dialect: &'static dyn Dialect) {
        self.0.lock().take_if(|last| *last == dialect);
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
    fn same_name_is_same_route() {
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
    fn cache_is_bounded_and_keeps_frequent_routes() {
        let target = target(None);
        let frequent = other(&target, "frequent");
        for number in 0..100_000 {
            let name = number.to_string();
            assert_eq!(other(&target, &name).name, name);
            if number % (GENERATION_SIZE / 2) == 0 {
                assert!(Arc::ptr_eq(&frequent, &other(&target, "frequent")), "{number}");
            }
            let known = target.others.lock();
            assert!(known.young.len() + known.old.len() <= 2 * GENERATION_SIZE);
        }
    }

    #[test]
    fn route_name_may_have_gateway_prefix() {
        assert_eq!(route_name("a").unwrap(), "a");
        assert_eq!(route_name("gateway:/a").unwrap(), "a");
        assert_eq!(route_name("org/model:7b").unwrap(), "org/model:7b");
        for given in ["", "gateway:/", ".", "gateway:/..", &"a".repeat(MAX_NAME + 1)] {
            assert_eq!(route_name(given).unwrap_err().status(), Status::InvalidArgument, "{given}");
        }
        assert!(route_name(&format!("gateway:/{}", "a".repeat(MAX_NAME))).is_ok());
    }

    #[test]
    fn last_dialect_comes_first_until_forgotten() {
        let last_dialect = LastDialect::default();
        let all = &dialect::DISCOVERED;
        assert_eq!(last_dialect.among(all), None);
        last_dialect.set(all[2]);
        assert_eq!(last_dialect.among(all), Some(all[2]));
        assert_eq!(last_dialect.among(&all[..1]), None);
        assert_eq!(last_dialect.sort(all), [all[2], all[0], all[1], all[3]]);
        last_dialect.forget(all[0]);
        assert_eq!(last_dialect.among(all), Some(all[2]));
        last_dialect.forget(all[2]);
        assert_eq!(last_dialect.among(all), None);
    }
}
