//! The routes object, and functions that administer a gateway.

use std::ffi::c_char;
use std::ptr;

use super::error::mlflow_gateway_error;
use super::export_status::export_status;
use super::export_value::export_value;
use super::gateway::mlflow_gateway;
use super::handle;
use super::status::mlflow_gateway_status;
use super::string::{self, borrow};
use crate::client::{Route, Routes};

/// Routes of a gateway. Immutable.
pub struct mlflow_gateway_routes(Routes);

/// # Safety
/// The routes are NULL, or were not destroyed.
unsafe fn get<'a>(routes: *const mlflow_gateway_routes, route: usize) -> Option<&'a Route> {
    // SAFETY: guaranteed by the caller.
    unsafe { routes.as_ref() }?.0.all().get(route)
}

/// List the routes of the gateway.
///
/// `routes` receives the routes. The caller owns them.
///
/// Fails with _RESPONSE_TOO_LARGE beyond 1,000 pages, 100,000 routes or 64 MiB.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_list_routes(
    gateway: *mut mlflow_gateway,
    routes: *mut *mut mlflow_gateway_routes,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (gateway, output) = unsafe { (handle::retain(gateway, "gateway")?, handle::output(routes, "routes")?) };
        output.write(handle::create(mlflow_gateway_routes(gateway.gateway().list_routes()?)));
        Ok(())
    })
}

/// Look up one route.
///
/// `name` may be NULL for the handle's route.
/// `routes` receives a list with this route. The caller owns it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_get_route(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    routes: *mut *mut mlflow_gateway_routes,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (gateway, name, output) = unsafe {
            (handle::retain(gateway, "gateway")?, string::optional(name, "name")?, handle::output(routes, "routes")?)
        };
        output.write(handle::create(mlflow_gateway_routes(gateway.gateway().get_route(name)?)));
        Ok(())
    })
}

/// Return the number of routes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_routes_count(routes: *const mlflow_gateway_routes) -> usize {
    export_value!(0, {
        // SAFETY: the caller passes NULL or routes that were not destroyed.
        unsafe { routes.as_ref() }.map_or(0, |routes| routes.0.all().len())
    })
}

/// Return the name of a route.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_routes_name(
    routes: *const mlflow_gateway_routes,
    route: usize,
) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: the caller passes NULL or routes that were not destroyed.
        unsafe { borrow(get(routes, route).map(|route| &route.name), ptr::null_mut()) }
    })
}

/// Return the type of a route: "llm/v1/completions", "llm/v1/chat", "llm/v1/embeddings" or another one. NULL if not
/// reported; endpoints of MLflow's tracking server serve both chat and embeddings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_routes_type(
    routes: *const mlflow_gateway_routes,
    route: usize,
) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: the caller passes NULL or routes that were not destroyed.
        unsafe { borrow(get(routes, route).and_then(|route| route.route_type.as_ref()), ptr::null_mut()) }
    })
}

/// Return the model provider of a route, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_routes_provider(
    routes: *const mlflow_gateway_routes,
    route: usize,
) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: the caller passes NULL or routes that were not destroyed.
        unsafe { borrow(get(routes, route).and_then(|route| route.provider.as_ref()), ptr::null_mut()) }
    })
}

/// Return the model of a route, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_routes_model(
    routes: *const mlflow_gateway_routes,
    route: usize,
) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: the caller passes NULL or routes that were not destroyed.
        unsafe { borrow(get(routes, route).and_then(|route| route.model.as_ref()), ptr::null_mut()) }
    })
}

/// Return the URL to which requests for the route are sent, as the gateway reports it. This library may use another
/// URL of the same server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_routes_url(
    routes: *const mlflow_gateway_routes,
    route: usize,
) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: the caller passes NULL or routes that were not destroyed.
        unsafe { borrow(get(routes, route).map(|route| &route.url), ptr::null_mut()) }
    })
}

/// Return everything that the gateway reports about a route, unchanged.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_routes_json(
    routes: *const mlflow_gateway_routes,
    route: usize,
    len: *mut usize,
) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: the caller passes NULL or routes that were not destroyed, and NULL or a pointer that is valid for
        // writes.
        unsafe { borrow(get(routes, route).map(|route| &route.json), len) }
    })
}

/// Destroy routes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_routes_destroy(routes: *mut mlflow_gateway_routes) {
    export_value!((), {
        // SAFETY: the caller passes NULL or routes that were not destroyed.
        unsafe { handle::destroy(routes) }
    })
}

/// Check the health of the gateway (its path /health), or on Databricks whether the handle's endpoint is ready.
///
/// Fails with _SERVER_ERROR if the gateway reports that it is not healthy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_health(
    gateway: *mut mlflow_gateway,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: the caller passes NULL or a handle that was not destroyed.
        let gateway = unsafe { handle::retain(gateway, "gateway")? };
        gateway.gateway().health()
    })
}

/// Get the rate limits of a route. Databricks supports them; MLflow's servers do not.
///
/// `name` may be NULL for the handle's route.
/// `json` receives the server's JSON. The caller frees it.
///
/// Fails with _UNSUPPORTED if the server has no limits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_get_limits(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    json: *mut *mut c_char,
    json_len: *mut usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (gateway, name, output) = unsafe {
            (handle::retain(gateway, "gateway")?, string::optional(name, "name")?, handle::output(json, "json")?)
        };
        let limits = gateway.gateway().get_limits(name)?;
        // SAFETY: the caller passes NULL or a pointer that is valid for writes.
        unsafe { string::write_copy(&limits, output, json_len) }
    })
}

/// Replace the rate limits of a route.
///
/// `name` may be NULL for the handle's route.
/// `limits_json` is a JSON array, for example "[{\"calls\": 10, \"key\": \"user\", \"renewal_period\":
/// \"minute\"}]".
/// `json` receives the server's JSON. The caller frees it; may be NULL.
///
/// Fails like mlflow_gateway_get_limits().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_set_limits(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    limits_json: *const c_char,
    json: *mut *mut c_char,
    json_len: *mut usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (gateway, name, limits) = unsafe {
            (
                handle::retain(gateway, "gateway")?,
                string::optional(name, "name")?,
                string::required(limits_json, "limits_json")?,
            )
        };
        let reply = gateway.gateway().set_limits(name, limits)?;
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { string::write_optional_copy(&reply, json, json_len) }
    })
}

/// Create a route. Databricks supports it; MLflow's servers read their routes from a file or from their web page.
///
/// `route_json` is a JSON object as the server documents it. Keys of model providers in it are masked in messages.
/// `json` receives the server's JSON. The caller frees it; may be NULL.
///
/// Fails with _UNSUPPORTED if the server cannot create routes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_create_route(
    gateway: *mut mlflow_gateway,
    route_json: *const c_char,
    json: *mut *mut c_char,
    json_len: *mut usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (gateway, route) =
            unsafe { (handle::retain(gateway, "gateway")?, string::required(route_json, "route_json")?) };
        let reply = gateway.gateway().create_route(route)?;
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { string::write_optional_copy(&reply, json, json_len) }
    })
}

/// Delete a route.
///
/// `name` must not be NULL, so that no handle deletes its own route by mistake.
///
/// Fails like mlflow_gateway_create_route().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_delete_route(
    gateway: *mut mlflow_gateway,
    name: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (gateway, name) = unsafe { (handle::retain(gateway, "gateway")?, string::required(name, "name")?) };
        gateway.gateway().delete_route(name)
    })
}
