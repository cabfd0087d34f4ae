//! Sending a request.

use std::sync::Arc;

use super::error::mlflow_gateway_error;
use super::export_status::export_status;
use super::gateway::mlflow_gateway;
use super::handle::{self, Output};
use super::request::mlflow_gateway_request;
use super::response::{self, mlflow_gateway_response};
use super::status::mlflow_gateway_status;
use crate::client::Error;

/// The arguments of a function that sends a request.
pub(super) struct CallArguments<T> {
    pub gateway: Arc<mlflow_gateway>,
    pub request: Arc<mlflow_gateway_request>,
    pub output: Output<T>,
}

/// Checks the arguments of such a function.
///
/// # Safety
/// Each pointer is NULL or valid for its type.
pub(super) unsafe fn call_arguments<T>(
    gateway: *const mlflow_gateway,
    request: *const mlflow_gateway_request,
    output: *mut T,
    output_name: &str,
) -> Result<CallArguments<T>, Error> {
    // SAFETY: guaranteed by the caller.
    unsafe {
        Ok(CallArguments {
            gateway: handle::retain(gateway, "gateway")?,
            request: handle::retain(request, "request")?,
            output: handle::output(output, output_name)?,
        })
    }
}

/// Send a request and wait for the whole response. Any route of the type completions or chat accepts a prompt;
/// messages need a chat route. A response with tool calls and without text is a success, unless the option
/// require_text is true.
///
/// `response` receives the response. The caller owns it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_send(
    gateway: *mut mlflow_gateway,
    request: *const mlflow_gateway_request,
    response: *mut *mut mlflow_gateway_response,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let call = unsafe { call_arguments(gateway, request, response, "response")? };
        call.output.write(response::create(call.gateway.gateway().send(call.request.request())?));
        Ok(())
    })
}
