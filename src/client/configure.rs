//! The setters that a handle and a request have in common.

use std::sync::Arc;

use super::error::{Error, Status};
use crate::dialect::{InvalidParam, Params};
use crate::http::InvalidHeader;
use crate::sync::CancelToken;

/// The parameters, headers, options and cancel token of a handle, or of a request. Those of a request take precedence over
/// those of the handle, except that both cancel tokens apply. A call uses the settings of the moment when it began.
pub trait Configure {
    /// Changes the parameters of the model. A change that fails has no effect.
    fn change_params(&self, change: impl FnOnce(&mut Params) -> Result<(), InvalidParam>) -> Result<(), Error>;

    /// Sets a parameter of the model.
    fn set_param_double(&self, name: &str, value: f64) -> Result<(), Error> {
        self.change_params(|params| params.set_double(name, value))
    }

    /// As [`Configure::set_param_double`].
    fn set_param_int(&self, name: &str, value: i64) -> Result<(), Error> {
        self.change_params(|params| params.set_int(name, value))
    }

    /// As [`Configure::set_param_double`].
    fn set_param_bool(&self, name: &str, value: bool) -> Result<(), Error> {
        self.change_params(|params| params.set_bool(name, value))
    }

    /// As [`Configure::set_param_double`].
    fn set_param_string(&self, name: &str, value: &str) -> Result<(), Error> {
        self.change_params(|params| params.set_string(name, value))
    }

    /// As [`Configure::set_param_double`], for any JSON value.
    fn set_param_json(&self, name: &str, json: &str) -> Result<(), Error> {
        self.change_params(|params| params.set_json(name, json))
    }

    /// Appends a string to the parameter `stop`. The model stops before it would write one of these strings.
    fn add_stop(&self, stop: &str) -> Result<(), Error> {
        self.change_params(|params| params.add_stop(stop))
    }

    /// Unsets a parameter, so that the handle's applies, or the gateway's default.
    fn unset_param(&self, name: &str);

    /// Sets an option by its name. The C header lists the options.
    fn set_option(&self, name: &str, value: &str) -> Result<(), Error>;

    /// Sets a header, or removes it with `None`.
    fn set_header(&self, name: &str, value: Option<&str>) -> Result<(), Error>;

    /// Sets the cancel token, or removes it with `None`.
    fn set_cancel_token(&self, token: Option<Arc<CancelToken>>);
}

pub(super) fn invalid_param(InvalidParam(problem): InvalidParam) -> Error {
    Error::new(Status::InvalidParam, problem)
}

pub(super) fn invalid_header(InvalidHeader(problem): InvalidHeader) -> Error {
    Error::new(Status::InvalidArgument, problem)
}
