//! What lists of plugins amount to (PLUG-LIST-2, -3, -7, -9).

/// What is left when a list is gone through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loaded {
    /// The plugins, in the order their hooks are called.
    pub order: Vec<&'static str>,
    /// Whether messages have temporary files.
    pub need_file: bool,
}

/// The name that ended the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unloadable(pub &'static str);

/// A model: the items and, for a name, whether it needs files, if there is such a plugin.
pub type Model = fn(&[&'static str], &dyn Fn(&str) -> Option<bool>) -> Result<Loaded, Unloadable>;

/// Goes through the items of all lists.
///
/// # Errors
/// The first name that is not there, whatever comes behind it.
pub fn load(items: &[&'static str], needs_file: &dyn Fn(&str) -> Option<bool>) -> Result<Loaded, Unloadable> {
    let mut loaded = Loaded::default();
    for item in items.iter().copied().filter(|item| !item.is_empty()) {
        if let Some(name) = item.strip_prefix('-') {
            loaded.order.retain(|plugin| name != "*" && *plugin != name);
            continue;
        }
        let (front, name) = item.strip_prefix('+').map_or((false, item), |name| (true, name));
        if loaded.order.contains(&name) {
            loaded.order.retain(|plugin| *plugin != name);
        } else {
            loaded.need_file |= needs_file(name).ok_or(Unloadable(name))?;
        }
        loaded.order.insert(if front { 0 } else { loaded.order.len() }, name);
    }
    Ok(loaded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(lists: &'static str) -> Result<String, &'static str> {
        let items: Vec<&'static str> = lists.split(':').collect();
        let there = |name: &str| (name.len() == 1).then_some(name == "f");
        let Loaded { order, need_file } = load(&items, &there).map_err(|Unloadable(name)| name)?;
        Ok(order.concat() + if need_file { "!" } else { "" })
    }

    /// The consequences that the clauses spell out.
    #[test]
    fn it_says_what_the_clauses_say() {
        for (lists, expected) in [
            ("a:b:a", Ok("ba")),
            ("a:b:+b", Ok("ba")),
            ("+a:+b", Ok("ba")),
            ("a:-a", Ok("")),
            ("a:-a:b:a", Ok("ba")),
            ("a::b:", Ok("ab")),
            ("a:b:-*:c", Ok("c")),
            ("f:-f:a", Ok("a!")),
            ("a:f:-*", Ok("!")),
            ("a:--x:-+x:-:-**", Ok("a")),
            ("a:+-x", Err("-x")),
            ("++x", Err("+x")),
            ("+", Err("")),
            ("a:-*:nope", Err("nope")),
            ("nope:-nope", Err("nope")),
            ("-nope:a", Ok("a")),
        ] {
            assert_eq!(order(lists).as_deref(), expected.as_ref().copied(), "{lists}");
        }
    }
}
