//! The version of the library at run time.

use std::ffi::c_char;

use super::export_value::export_value;

/// Return the version of the library at run time. The string is static.
#[unsafe(no_mangle)]
pub extern "C" fn mlflow_gateway_version() -> *const c_char {
    export_value!(std::ptr::null(), { concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast() })
}

/// Return the version of the library at run time as a number, to compare with MLFLOW_GATEWAY_VERSION_NUMBER.
#[unsafe(no_mangle)]
pub extern "C" fn mlflow_gateway_version_number() -> i32 {
    export_value!(0, {
        number(env!("CARGO_PKG_VERSION_MAJOR")) * 1_000_000
            + number(env!("CARGO_PKG_VERSION_MINOR")) * 1000
            + number(env!("CARGO_PKG_VERSION_PATCH"))
    })
}

fn number(part: &str) -> i32 {
    part.bytes().fold(0, |number, digit| number * 10 + i32::from(digit - b'0'))
}
