//! Constant databases put in place for a case (<https://cr.yp.to/cdb/cdb.txt>).

/// Pairs at the start, one for each low byte of a hash.
const TABLES: usize = 256;

/// The bytes of a database with these keys, each with empty data, in the order given.
pub fn with_keys(keys: &[&[u8]]) -> Vec<u8> {
    let mut records = Vec::new();
    let mut tables: Vec<Vec<(u32, u32)>> = vec![Vec::new(); TABLES];
    for key in keys {
        let place = number(TABLES * 8 + records.len());
        records.extend(pair(number(key.len()), 0));
        records.extend_from_slice(key);
        let hash = key.iter().fold(5381u32, |hash, byte| (hash << 5).wrapping_add(hash) ^ u32::from(*byte));
        tables[hash as usize % TABLES].push((hash, place));
    }
    let mut start = Vec::new();
    let mut slots = Vec::new();
    for entries in tables {
        let table = TABLES * 8 + records.len() + slots.len();
        start.extend(pair(number(table), number(entries.len() * 2)));
        slots.extend(hashed(&entries).into_iter().flat_map(|(hash, place)| pair(hash, place)));
    }
    [start, records, slots].concat()
}

/// Twice as many slots as entries; each entry in the first free one behind where its hash points.
fn hashed(entries: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut slots = vec![(0, 0); entries.len() * 2];
    for entry in entries {
        let mut slot = (entry.0 >> 8) as usize % slots.len();
        while slots[slot].1 != 0 {
            slot = (slot + 1) % slots.len();
        }
        slots[slot] = *entry;
    }
    slots
}

fn pair(first: u32, second: u32) -> Vec<u8> {
    [first.to_le_bytes(), second.to_le_bytes()].concat()
}

/// The keys stand in a head that a person wrote.
fn number(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_with_one_key_has_the_bytes_of_the_description() {
        let bytes = with_keys(&[b"one"]);
        // (((5381*33 ^ 'o')*33 ^ 'n')*33 ^ 'e'), by hand
        let hash = 193_420_161_u32;
        let table = (hash % 256) as usize;
        assert_eq!(bytes.len(), 2048 + 8 + 3 + 16);
        assert_eq!(bytes[table * 8..table * 8 + 8], pair(2059, 2)[..]);
        assert_eq!(bytes[2048..2059], [pair(3, 0), b"one".to_vec()].concat()[..]);
        let slot = (hash / 256 % 2) as usize;
        assert_eq!(bytes[2059 + slot * 8..2067 + slot * 8], pair(hash, 2048)[..]);
    }
}
