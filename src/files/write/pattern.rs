//! Patterns for names of tensors.

/// Whether a name matches a pattern, in which each `*` stands for any characters.
pub fn name_matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    // The first place of a part leaves the most room for those behind it.
    for part in parts {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::name_matches;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name) in [
            ("", ""),
            ("*", ""),
            ("*", "abc"),
            ("abc", "abc"),
            ("a*c", "abbc"),
            ("a*c", "ac"),
            ("*.weight", "layers.0.weight"),
            ("layers.*.q*.weight", "layers.12.q_proj.weight"),
            ("*a*a", "xaya"),
            ("**", "x"),
        ] {
            assert!(name_matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("", "a"),
            ("abc", "abcd"),
            ("a*a", "a"),
            ("*b", "abc"),
            ("a*b*c", "acb"),
            ("*aa*aa", "aaa"),
        ] {
            assert!(!name_matches(pattern, name), "{pattern} {name}");
        }
    }
}
