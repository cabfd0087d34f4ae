//! What the fuzz targets share.

pub mod checks;
pub mod file;
pub mod options;
pub mod pieces;
pub mod script;
pub mod server;
