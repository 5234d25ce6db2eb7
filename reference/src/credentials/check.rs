//! What `--check` has to say about credential modules (CORE-ARG-4).

use std::{
    env,
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileTypeExt, PermissionsExt},
    },
    path::Path,
};

use bstr::{BStr, BString};

use super::{
    attempts::{Attempts, MAXAUTHFAIL},
    modules::{Address, LOOKUP_SECRET, Modules},
    sasl::Mechanisms,
    transport,
};
use crate::{plugin::Finding, wire::number::whole_decimal};

/// The settings that name modules of mechanisms.
const MECHANISMS: [&str; 3] = ["CVM_SASL_PLAIN", "CVM_SASL_LOGIN", "CVM_SASL_CRAM_MD5"];

/// The mechanisms of a program, and the settings around them.
pub fn sasl(mechanisms: &Mechanisms, setting: impl Fn(&str) -> Option<BString>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in MECHANISMS {
        match setting(name) {
            Some(list) if list.is_empty() => {
                findings.push(warning(format!("${name} is empty: taken as unset")));
            }
            Some(list) => findings.extend(unreachable(name, &Modules::from_list(&list))),
            None => {}
        }
    }
    if mechanisms.names().is_none() {
        findings.push(warning(format!("no mechanism to authenticate: set ${}", MECHANISMS[0])));
    }
    if setting(LOOKUP_SECRET).is_some() {
        findings.push(warning(format!("${LOOKUP_SECRET} is kept from modules that check passwords")));
    }
    if let Some(value) = setting(MAXAUTHFAIL).filter(|v| whole_decimal(v).is_none_or(|n| n == 0)) {
        let taken = Attempts::from_setting(Some(&value)).left();
        findings.push(warning(format!("${MAXAUTHFAIL} is {value:?}: taken as {taken}")));
    }
    findings
}

/// The modules that recipients are looked up in.
pub fn look_up(modules: Option<&Modules>, secret: &[u8], is_set: bool) -> Vec<Finding> {
    let name = "CVM_LOOKUP";
    match modules {
        None if is_set => vec![warning(format!("${name} is empty: no recipient is looked up"))],
        None => vec![warning(format!("${name} is unset: no recipient is looked up"))],
        Some(modules) => {
            let mut findings = unreachable(name, modules);
            let served = |address: &Address| !matches!(address, Address::Command(_));
            if secret.is_empty() && modules.addresses().iter().any(served) {
                let text = format!("${LOOKUP_SECRET} is unset: the modules of ${name} must answer anybody");
                findings.push(warning(text));
            }
            findings
        }
    }
}

fn warning(text: String) -> Finding {
    Finding::Warning(text.into())
}

/// The modules of the setting `name` that cannot be asked, as far as can be seen without asking.
fn unreachable(name: &str, modules: &Modules) -> Vec<Finding> {
    let reasons = modules.addresses().iter().filter_map(reason);
    reasons
        .map(|reason| Finding::Problem([format!("${name}: ").as_bytes(), &reason].concat().into()))
        .collect()
}

fn reason(address: &Address) -> Option<BString> {
    let (text, what): (&BStr, _) = match address {
        Address::Command(name) if !is_program(name) => (name.as_ref(), "no program called "),
        Address::Local(path) if !is_socket(path) => (path.as_ref(), "no socket at "),
        Address::Udp(place) if transport::host_and_port(place).is_none() => {
            (place.as_ref(), "no host and port: ")
        }
        _ => return None,
    };
    Some([what.as_bytes(), text].concat().into())
}

fn is_socket(path: &[u8]) -> bool {
    fs::metadata(OsStr::from_bytes(path)).is_ok_and(|metadata| metadata.file_type().is_socket())
}

/// Whether running `name` finds an executable file.
fn is_program(name: &[u8]) -> bool {
    let executable = |path: &Path| {
        fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    };
    let name = Path::new(OsStr::from_bytes(name));
    if name.as_os_str().as_bytes().contains(&b'/') {
        return executable(name);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    !name.as_os_str().is_empty() && env::split_paths(&path).any(|folder| executable(&folder.join(name)))
}
