//! Compiled C modules: loads the plugins, backends and protocols that sites have (PLUG-ABI-1 … 11).
//!
//! This is the one part of the program that is not safe Rust, and its only reason: a site's own
//! modules, and those not built in, must go on working. A loaded module runs inside this program with
//! all its rights; no care taken here can save it from a module's faults. What can be done is done:
//! everything a module returns is copied and checked at once ([`Response::from_module`]), nothing it
//! keeps is relied on, and no reference of ours is held over a call.
//!
//! In reading order: [`object`] has the layouts, [`library`] opens files, [`module`] makes a plugin or
//! backend of one, [`protocol`] a protocol. The other way, [`host`] and [`reply`] have the functions
//! and objects that modules find in our program by name, and [`streams`] lends them the client's
//! connection. Which names the linker must keep is in `symbols.txt`, read by build scripts.
//!
//! Why calls back into the program are sound: the program has one thread, and a module only runs
//! while one of our functions calls it. Each such call goes through [`host::enter`] with a
//! `&Session`, which lives longer than the call; the functions modules call find that session by a
//! thread-local pointer and only ever make shared references of it. Its parts are cells, borrowed
//! only inside its own methods, none of which calls a module.
//!
//! Not offered: `load_plugin`, `load_backend` and `switch_backend`, by which one module handles
//! another's object; built-in modules have none. A module that needs them is refused when it is
//! loaded, like any with an unknown symbol. `inbuf` and `outbuf` are the support library's own, which
//! every module that uses them brings along (PLUG-ABI-10).
//!
//! [`Response::from_module`]: crate::response::Response::from_module
#![allow(unsafe_code)]

mod host;
mod library;
mod module;
mod object;
mod protocol;
mod reply;
mod streams;

use std::path::Path;

use bstr::BStr;

use self::library::Library;
use crate::{
    plugin::{LoadError, Module},
    protocol::Protocol,
    session::Session,
};

/// Loads the plugin at `path` under the name it was asked for.
///
/// # Errors
/// The file cannot be loaded, is no plugin, or is one for another interface (CORE-MOD-6, -8).
pub fn load_plugin(path: &Path, name: &BStr) -> Result<Box<dyn Module>, LoadError> {
    let module = module::Loaded::new(&Library::open(path)?, c"plugin")?;
    module.set_name(object::c_string(name));
    Ok(Box::new(module))
}

/// Loads the backend at `path`.
///
/// # Errors
/// As [`load_plugin`].
pub fn load_backend(path: &Path) -> Result<Box<dyn Module>, LoadError> {
    Ok(Box::new(module::Loaded::new(&Library::open(path)?, c"backend")?))
}

/// Loads the protocol at `path`; from now on the session's responses go through its line writer.
///
/// # Errors
/// As [`load_plugin`] (CORE-MOD-5, -8).
pub fn load_protocol(path: &Path, session: &Session) -> Result<Box<dyn Protocol>, LoadError> {
    Ok(Box::new(protocol::Loaded::new(&Library::open(path)?, session)?))
}
