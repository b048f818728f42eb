//! Safetensors files around a header that may be anything.

/// A file with this header and these bytes of tensors.
pub fn file_with_header(header: &[u8], values: &[u8]) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(values);
    file
}

/// The most bytes that a file of a header is given.
const MAX_VALUES: usize = 1 << 16;

/// How many bytes of tensors a header states, found without understanding it: the greatest number in the
/// brackets behind `"data_offsets"`. A fuzzer hardly finds headers and lengths that agree.
pub fn stated_bytes(header: &[u8]) -> usize {
    let key = b"\"data_offsets\"";
    let places = header.windows(key.len()).enumerate().filter(|(_, window)| window == key);
    let numbers = places.flat_map(|(at, _)| {
        let list = header[at + key.len()..].split(|&byte| byte == b']').next().unwrap_or(&[]);
        list.split(|byte| !byte.is_ascii_digit())
    });
    let numbers = numbers.filter_map(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    numbers.filter(|&bytes| bytes <= MAX_VALUES).max().unwrap_or(0)
}

/// A text in quotes, escaped. Bytes that are not UTF-8 stay, and are the reader's affair.
pub fn as_json_string(text: &[u8]) -> Vec<u8> {
    let mut string = vec![b'"'];
    for &byte in text {
        match byte {
            b'"' | b'\\' => string.extend([b'\\', byte]),
            0..0x20 => string.extend(format!("\\u{byte:04x}").bytes()),
            _ => string.push(byte),
        }
    }
    string.push(b'"');
    string
}
