//! The language of plugin lists: `name`, `+name`, `-name`, `-*`, separated by `:` (PLUG-LIST-1 … 9).

use bstr::{BStr, ByteSlice};

/// One item of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'a> {
    /// `-*`: the list so far is dropped.
    Clear,
    /// `-name`: that plugin is dropped, if it is there.
    Remove(&'a BStr),
    /// `name` and `+name`: the plugin goes to the end or the front, moved there if it is in the list.
    Add {
        /// What to load.
        name: &'a BStr,
        /// Whether a `+` stood before it.
        front: bool,
    },
}

/// The items of one argument or of `$PLUGINS`; empty ones are skipped (PLUG-LIST-2).
pub fn items(list: &[u8]) -> impl Iterator<Item = Item<'_>> {
    list.split_str(":").filter(|item| !item.is_empty()).map(|item| match item {
        b"-*" => Item::Clear,
        [b'-', name @ ..] => Item::Remove(name.as_bstr()),
        [b'+', name @ ..] => Item::Add { name: name.as_bstr(), front: true },
        name => Item::Add { name: name.as_bstr(), front: false },
    })
}

/// Applies one item to a list of distinct plugins. `load` is called only for one not yet in it.
///
/// # Errors
/// Those of `load`; the list is then as it was.
pub fn apply<T, E>(
    list: &mut Vec<T>,
    item: Item<'_>,
    name_of: impl Fn(&T) -> &BStr,
    load: impl FnOnce(&BStr) -> Result<T, E>,
) -> Result<(), E> {
    match item {
        Item::Clear => list.clear(),
        Item::Remove(name) => list.retain(|plugin| name_of(plugin) != name),
        Item::Add { name, front } => {
            let plugin = match list.iter().position(|plugin| name_of(plugin) == name) {
                Some(index) => list.remove(index),
                None => load(name)?,
            };
            list.insert(if front { 0 } else { list.len() }, plugin);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(lists: &str) -> Result<String, String> {
        let mut list: Vec<String> = Vec::new();
        for item in items(lists.as_bytes()) {
            apply(
                &mut list,
                item,
                |name| name.as_bytes().as_bstr(),
                |name| if name == "nope" { Err(name.to_string()) } else { Ok(name.to_string()) },
            )?;
        }
        Ok(list.join(":"))
    }

    #[test]
    fn a_name_again_moves_its_plugin() {
        for (lists, order) in [
            ("a:b:a", "b:a"),
            ("a:b:+b", "b:a"),
            ("+a:+b", "b:a"),
            ("a:-a", ""),
            ("a:-a:b:a", "b:a"),
            ("a:b:-*:c", "c"),
        ] {
            assert_eq!(applied(lists).as_deref(), Ok(order), "{lists}");
        }
    }

    #[test]
    fn only_the_first_character_is_an_operator() {
        for (lists, order) in [
            ("a:--x:-nosuch::", "a"),
            ("+-x", "-x"),
            ("++x", "+x"),
            ("x:-+x", "x"),
            ("a:-:-**", "a"),
            ("*", "*"),
            ("a: a,b", "a: a,b"),
        ] {
            assert_eq!(applied(lists).as_deref(), Ok(order), "{lists}");
        }
        assert_eq!(items(b"+").next(), Some(Item::Add { name: "".into(), front: true }));
    }

    #[test]
    fn the_first_failure_ends_it() {
        assert_eq!(applied("a:-*:nope"), Err("nope".into()));
        assert_eq!(applied("nope:-nope"), Err("nope".into()));
        assert_eq!(applied("-nope"), Ok(String::new()));
    }
}
