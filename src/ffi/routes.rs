//! The routes object, and what else a gateway says of itself.

use std::ffi::c_char;
use std::ptr;

use super::error::mlflow_gateway_error;
use super::export::export;
use super::gateway::mlflow_gateway;
use super::handle::{self, Place};
use super::status::mlflow_gateway_status;
use super::text::{self, lend};
use crate::client::{Error, NulText, Route, Routes};

/// Routes of a gateway, as it described them. They never change, so that any number of threads may read them.
pub struct mlflow_gateway_routes(Routes);

/// # Safety
/// The routes are NULL, or were not destroyed.
unsafe fn get<'a>(routes: *const mlflow_gateway_routes, route: usize) -> Option<&'a Route> {
    // SAFETY: as promised by the caller.
    unsafe { routes.as_ref() }?.0.all().get(route)
}

/// Lists the routes (MLflow 2.5 to 2.8), endpoints (2.9 and later) or models (dialect openai) that the gateway has, all
/// pages of them. The handle's own route need not be there. Routes that split their traffic (3.x) are not listed.
///
/// `routes` receives them; the caller destroys them with mlflow_gateway_routes_destroy().
///
/// Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _UNSUPPORTED (the server says that it does not have that),
/// _INSECURE_AUTH, _RESPONSE_TOO_LARGE (more than 1,000 pages, 100,000 routes or 64 MiB), or any other status from 20 to
/// 99.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_list_routes(
    gateway: *mut mlflow_gateway,
    routes: *mut *mut mlflow_gateway_routes,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (gateway, place) = unsafe { (handle::hold(gateway, "gateway")?, handle::check_place(routes, "routes")?) };
        place.write(handle::give(mlflow_gateway_routes(gateway.gateway().list_routes()?)));
        Ok(())
    })
}

/// Looks one route up.
///
/// `name` is the route's name; NULL stands for that of the handle.
/// `routes` receives a list of this one; the caller destroys it with mlflow_gateway_routes_destroy().
///
/// Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _UNSUPPORTED, _INSECURE_AUTH, _NOT_FOUND (the message names the routes
/// that there are), or any other status from 20 to 99.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_get_route(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    routes: *mut *mut mlflow_gateway_routes,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (gateway, name, place) = unsafe {
            (handle::hold(gateway, "gateway")?, text::optional(name, "name")?, handle::check_place(routes, "routes")?)
        };
        place.write(handle::give(mlflow_gateway_routes(gateway.gateway().get_route(name)?)));
        Ok(())
    })
}

/// Returns how many routes there are; 0 if `routes` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_routes_count(routes: *const mlflow_gateway_routes) -> usize {
    export!(or 0, {
        // SAFETY: the caller passes NULL or routes that were not destroyed.
        unsafe { routes.as_ref() }.map_or(0, |routes| routes.0.all().len())
    })
}

/// Returns the name of a route, which mlflow_gateway_create() takes; NULL if there are not so many.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_routes_name(
    routes: *const mlflow_gateway_routes,
    route: usize,
) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or routes that were not destroyed.
        unsafe { lend(get(routes, route).map(|route| &route.name), ptr::null_mut()) }
    })
}

/// Returns what a route is for: "llm/v1/completions", "llm/v1/chat", "llm/v1/embeddings", or what else the gateway
/// says. NULL if it does not say: an endpoint of MLflow's tracking server does chats and embeddings alike.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_routes_type(
    routes: *const mlflow_gateway_routes,
    route: usize,
) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or routes that were not destroyed.
        unsafe { lend(get(routes, route).and_then(|route| route.route_type.as_ref()), ptr::null_mut()) }
    })
}

/// Returns who runs the model behind a route, for example "openai"; NULL if the gateway does not say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_routes_provider(
    routes: *const mlflow_gateway_routes,
    route: usize,
) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or routes that were not destroyed.
        unsafe { lend(get(routes, route).and_then(|route| route.provider.as_ref()), ptr::null_mut()) }
    })
}

/// Returns the name of the model behind a route; NULL if the gateway does not say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_routes_model(
    routes: *const mlflow_gateway_routes,
    route: usize,
) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or routes that were not destroyed.
        unsafe { lend(get(routes, route).and_then(|route| route.model.as_ref()), ptr::null_mut()) }
    })
}

/// Returns the whole URL to which questions for a route are sent, as the gateway gives it. (This library may use
/// another one of the same server.) NULL if there are not so many routes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_routes_url(
    routes: *const mlflow_gateway_routes,
    route: usize,
) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or routes that were not destroyed.
        unsafe { lend(get(routes, route).map(|route| &route.url), ptr::null_mut()) }
    })
}

/// Returns all that the gateway says of a route, as it wrote it, and writes its length in bytes to `len`, which may be
/// NULL. NULL, and a length of 0, if there are not so many routes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_routes_json(
    routes: *const mlflow_gateway_routes,
    route: usize,
    len: *mut usize,
) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or routes that were not destroyed, and NULL or a place for a length.
        unsafe { lend(get(routes, route).map(|route: &Route| -> &NulText { &route.json }), len) }
    })
}

/// Destroys routes and the texts that belong to them. NULL is allowed and does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_routes_destroy(routes: *mut mlflow_gateway_routes) {
    export!(or(), {
        // SAFETY: the caller passes NULL or routes that were not destroyed.
        unsafe { handle::end(routes) }
    })
}

/// Check whether the gateway is healthy: by its path /health; with the dialect openai, by its list of models; on
/// Databricks, by whether the endpoint of the handle is ready, or without one by the list of endpoints.
///
/// Returns MLFLOW_GATEWAY_OK if it says so; _SERVER_ERROR if it says that it is not; _INVALID_ARGUMENT, _UNSUPPORTED,
/// _INSECURE_AUTH, or any other status from 20 to 99.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_health(
    gateway: *mut mlflow_gateway,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or a handle that was not destroyed.
        let gateway = unsafe { handle::hold(gateway, "gateway")? };
        gateway.gateway().health()
    })
}

/// Asks for the limits of a route, for example how many calls a minute are allowed.
///
/// `name` is the route's name; NULL stands for that of the handle.
/// `json` receives what the server answers, on Databricks the list of rate limits; the caller frees it with
/// mlflow_gateway_string_free().
/// `json_len` receives its length in bytes without the NUL; it may be NULL.
///
/// Returns MLFLOW_GATEWAY_OK, _UNSUPPORTED (no open-source server of MLflow has them; Databricks has),
/// _INVALID_ARGUMENT, _INSECURE_AUTH, or any status from 20 to 99.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_get_limits(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    json: *mut *mut c_char,
    json_len: *mut usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (gateway, name, place) = unsafe {
            (handle::hold(gateway, "gateway")?, text::optional(name, "name")?, handle::check_place(json, "json")?)
        };
        let limits = gateway.gateway().get_limits(name)?;
        // SAFETY: the caller passes NULL or a place for a length.
        unsafe { text::give(&limits, place, json_len) }
    })
}

/// Sets the limits of a route, in place of those that it has.
///
/// `name` is the route's name; NULL stands for that of the handle.
/// `limits_json` is a JSON list as MLflow documents it, for example
/// "[{\"calls\": 10, \"key\": \"user\", \"renewal_period\": \"minute\"}]".
/// `json` receives what the server answers; the caller frees it with mlflow_gateway_string_free(). It may be NULL.
/// `json_len` receives its length in bytes without the NUL; it may be NULL.
///
/// Returns as mlflow_gateway_get_limits().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_set_limits(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    limits_json: *const c_char,
    json: *mut *mut c_char,
    json_len: *mut usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (gateway, name, limits) = unsafe {
            (
                handle::hold(gateway, "gateway")?,
                text::optional(name, "name")?,
                text::required(limits_json, "limits_json")?,
            )
        };
        let answer = gateway.gateway().set_limits(name, limits)?;
        // SAFETY: the caller passes NULL or what the types say.
        unsafe { give_if_wanted(&answer, json, json_len) }
    })
}

/// Makes a route. The open-source servers have theirs from a file or from their web page; Databricks makes them so.
///
/// `route_json` is a JSON object as the server's documentation describes it: its name, and the model behind it. It may
/// hold the key of a model provider: it is not kept, and texts in it whose names hold "key", "token", "secret",
/// "password" or "credential" are masked where the server repeats them.
/// `json` receives what the server answers; the caller frees it with mlflow_gateway_string_free(). It may be NULL.
/// `json_len` receives its length in bytes without the NUL; it may be NULL.
///
/// Returns MLFLOW_GATEWAY_OK, _UNSUPPORTED (this server does not make routes), _INVALID_ARGUMENT, _INSECURE_AUTH, or any
/// status from 20 to 99.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_create_route(
    gateway: *mut mlflow_gateway,
    route_json: *const c_char,
    json: *mut *mut c_char,
    json_len: *mut usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (gateway, route) =
            unsafe { (handle::hold(gateway, "gateway")?, text::required(route_json, "route_json")?) };
        let answer = gateway.gateway().create_route(route)?;
        // SAFETY: the caller passes NULL or what the types say.
        unsafe { give_if_wanted(&answer, json, json_len) }
    })
}

/// Removes a route for good, where mlflow_gateway_create_route() can make one.
///
/// `name` is the route's name. It must be given: no call removes a handle's own route by mistake.
///
/// Returns as mlflow_gateway_create_route().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_delete_route(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (gateway, name) = unsafe { (handle::hold(gateway, "gateway")?, text::required(name, "name")?) };
        gateway.gateway().delete_route(name)
    })
}

/// # Safety
/// Both places are NULL or can be written to.
unsafe fn give_if_wanted(text: &str, to: *mut *mut c_char, length: *mut usize) -> Result<(), Error> {
    if to.is_null() {
        if !length.is_null() {
            // SAFETY: as promised by the caller.
            unsafe { length.write(text.len()) };
        }
        return Ok(());
    }
    // SAFETY: as promised by the caller.
    let place: Place<*mut c_char> = unsafe { handle::check_place(to, "json")? };
    // SAFETY: as promised by the caller.
    unsafe { text::give(text, place, length) }
}
