//! Code shared by the fuzz targets.

pub mod checks;
pub mod file;
pub mod options;
pub mod pieces;
pub mod script;
pub mod server;
