//! The setters that a handle and a request have in common. Each function here is the body of two exported ones, which
//! document it. Its pointers must be NULL or what the types say.

use std::ffi::{c_char, c_int};
use std::sync::Arc;

use super::cancel::{self, mlflow_gateway_cancel_token};
use super::handle;
use super::string;
use crate::client::{Configure, Error};

/// The handle or the request.
pub(super) trait Configurable {
    /// The name of the argument that is this object.
    const ARGUMENT: &str;
    type Settings: Configure;

    fn settings(&self) -> &Self::Settings;
}

unsafe fn retain<T: Configurable>(object: *const T) -> Result<Arc<T>, Error> {
    // SAFETY: guaranteed by the caller.
    unsafe { handle::retain(object, T::ARGUMENT) }
}

pub(super) unsafe fn set_option<T: Configurable>(
    object: *const T,
    name: *const c_char,
    value: *const c_char,
) -> Result<(), Error> {
    // SAFETY: guaranteed by the caller.
    let (object, name, value) =
        unsafe { (retain(object)?, string::required(name, "name")?, string::required(value, "value")?) };
    object.settings().set_option(name, value)
}

pub(super) unsafe fn set_header<T: Configurable>(
    object: *const T,
    name: *const c_char,
    value: *const c_char,
) -> Result<(), Error> {
    // SAFETY: guaranteed by the caller.
    let (object, name, value) =
        unsafe { (retain(object)?, string::required(name, "name")?, string::optional(value, "value")?) };
    object.settings().set_header(name, value)
}

pub(super) unsafe fn set_param_double<T: Configurable>(
    object: *const T,
    name: *const c_char,
    value: f64,
) -> Result<(), Error> {
    // SAFETY: guaranteed by the caller.
    let (object, name) = unsafe { (retain(object)?, string::required(name, "name")?) };
    object.settings().set_param_double(name, value)
}

pub(super) unsafe fn set_param_int<T: Configurable>(
    object: *const T,
    name: *const c_char,
    value: i64,
) -> Result<(), Error> {
    // SAFETY: guaranteed by the caller.
    let (object, name) = unsafe { (retain(object)?, string::required(name, "name")?) };
    object.settings().set_param_int(name, value)
}

pub(super) unsafe fn set_param_bool<T: Configurable>(
    object: *const T,
    name: *const c_char,
    value: c_int,
) -> Result<(), Error> {
    // SAFETY: guaranteed by the caller.
    let (object, name) = unsafe { (retain(object)?, string::required(name, "name")?) };
    object.settings().set_param_bool(name, value != 0)
}

pub(super) unsafe fn set_param_string<T: Configurable>(
    object: *const T,
    name: *const c_char,
    value: *const c_char,
    value_len: usize,
) -> Result<(), Error> {
    // SAFETY: guaranteed by the caller.
    let (object, name, value) =
        unsafe { (retain(object)?, string::required(name, "name")?, string::sized(value, value_len, "value")?) };
    object.settings().set_param_string(name, value)
}

pub(super) unsafe fn set_param_json<T: Configurable>(
    object: *const T,
    name: *const c_char,
    json: *const c_char,
    json_len: usize,
) -> Result<(), Error> {
    // SAFETY: guaranteed by the caller.
    let (object, name, json) =
        unsafe { (retain(object)?, string::required(name, "name")?, string::sized(json, json_len, "json")?) };
    object.settings().set_param_json(name, json)
}

pub(super) unsafe fn add_stop<T: Configurable>(
    object: *const T,
    stop: *const c_char,
    stop_len: usize,
) -> Result<(), Error> {
    // SAFETY: guaranteed by the caller.
    let (object, stop) = unsafe { (retain(object)?, string::sized(stop, stop_len, "stop")?) };
    object.settings().add_stop(stop)
}

pub(super) unsafe fn unset_param<T: Configurable>(object: *const T, name: *const c_char) -> Result<(), Error> {
    // SAFETY: guaranteed by the caller.
    let (object, name) = unsafe { (retain(object)?, string::required(name, "name")?) };
    object.settings().unset_param(name);
    Ok(())
}

pub(super) unsafe fn set_cancel_token<T: Configurable>(
    object: *const T,
    token: *const mlflow_gateway_cancel_token,
) -> Result<(), Error> {
    // SAFETY: guaranteed by the caller.
    let (object, token) = unsafe { (retain(object)?, cancel::token(token)) };
    object.settings().set_cancel_token(token);
    Ok(())
}
