//! Numbers and lists as people read them.

/// Bytes with a unit: `1.2 GiB`, `3 KiB`, `17 B`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1 << 10 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = "KiB";
    for next in UNITS.iter().skip(1) {
        // What would be shown as 1024 of a unit is 1 of the next.
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    let text = format!("{value:.1}");
    format!("{} {unit}", text.strip_suffix(".0").unwrap_or(&text))
}

/// A number and its noun: `1 tensor`, `2 tensors`.
pub fn count(number: usize, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{s}")
}

/// Sizes or offsets: `[4096, 128]`.
pub fn sizes(sizes: &[i64]) -> String {
    format!("{sizes:?}")
}

/// A name out of a file without characters that a terminal would obey.
pub fn printable(text: &str) -> String {
    let mut printed = String::new();
    for letter in text.chars() {
        match letter.is_control() {
            true => printed.extend(letter.escape_default()),
            false => printed.push(letter),
        }
    }
    printed
}

/// A digest or a fingerprint, always as long.
pub fn hex(number: u64) -> String {
    format!("{number:016x}")
}

/// A number of bytes as a user writes it: `64MiB`, `1G`, `65536`.
pub fn parse_bytes(text: &str) -> Result<usize, String> {
    let digits =
        text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic() || letter == ' ');
    let unit = text.get(digits.len()..).unwrap_or_default().trim().to_ascii_lowercase();
    let shift = match unit.as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return Err(format!("{unit:?} is no unit; write KiB, MiB or GiB")),
    };
    let number: usize =
        digits.parse().map_err(|_| "write a number and a unit, such as 256MiB".to_owned())?;
    let bytes = number.checked_mul(1 << shift).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| "write a number of bytes that memory can have, and not 0".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_the_unit_that_people_expect() {
        for (number, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            ((1 << 20) - 1, "1 MiB"),
            (1 << 30, "1 GiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(bytes(number), expected);
        }
    }

    #[test]
    fn names_do_not_command_the_terminal() {
        assert_eq!(printable("a\x1b[31m\n.weight é"), "a\\u{1b}[31m\\n.weight é");
    }

    #[test]
    fn numbers_of_bytes_are_read_with_and_without_units() {
        for (text, expected) in [("1", 1), ("64MiB", 64 << 20), ("2 k", 2048), ("1GB", 1 << 30)] {
            assert_eq!(parse_bytes(text), Ok(expected));
        }
        for text in ["", "0", "MiB", "1x", "-1", "99999999999999999999", "99999999999GiB"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }
}
