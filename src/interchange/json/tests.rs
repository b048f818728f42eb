use super::JsonReader;
use super::reader::MAX_DEPTH;

fn json(text: &str) -> JsonReader<'_> {
    JsonReader::new(text.as_bytes(), "text", 8)
}

#[test]
fn texts_are_what_a_general_reader_says() {
    for text in [
        r#""""#,
        r#""plain""#,
        r#""\u00e9\n\t\\\"\/\b\f\r""#,
        r#""\ud83d\ude00 and é""#,
        r#""a\u0000b""#,
    ] {
        let expected: String = serde_json::from_str(text).unwrap();
        let mut json = json(text);
        assert_eq!(json.string().unwrap().as_str(), expected);
        json.end().unwrap();
    }
}

#[test]
fn texts_that_are_not_json_are_refused() {
    for text in [
        "\"",
        "\"a",
        r#""\"#,
        r#""\x""#,
        r#""\u12""#,
        r#""\ud800""#,
        r#""\ud800\u0041""#,
        r#""\udc00""#,
        "\"\n\"",
        "\"\\n\n\"",
        "x",
    ] {
        assert!(json(text).string().is_err(), "{text:?}");
    }
    assert!(JsonReader::new(b"\"\xff\"", "text", 0).string().is_err());
    assert!(JsonReader::new(b"\"\\n\xff\"", "text", 0).string().is_err());
}

#[test]
fn numbers_are_whole_and_fit() {
    assert_eq!(json(" 18446744073709551615").unsigned(), Ok(u64::MAX));
    assert_eq!(json("0").unsigned(), Ok(0));
    for text in ["", "-1", "1.0", "1e3", "18446744073709551616", "00", "01", "x", "\"1\""] {
        assert!(json(text).unsigned().is_err(), "{text:?}");
    }
    let mut sizes = Vec::new();
    assert_eq!(json("[3, 9223372036854775807]").sizes(&mut sizes), Ok(()));
    assert_eq!(sizes, [3, i64::MAX]);
    assert!(json("[9223372036854775808]").sizes(&mut sizes).is_err());
}

#[test]
fn numbers_with_a_sign_are_whole_and_fit() {
    for number in [0, 1, -1, i64::MAX, i64::MIN] {
        assert_eq!(json(&format!(" {number},")).number(), Ok(number));
    }
    for text in ["9223372036854775808", "-9223372036854775809", "-", "--1", "+1", "-01", "1.5"] {
        assert!(json(text).number().is_err(), "{text:?}");
    }
    assert_eq!(json("4294967295").narrow::<u32>(), Ok(u32::MAX));
    assert!(json("4294967296").narrow::<u32>().is_err());
}

#[test]
fn values_that_do_not_matter_are_passed_over() {
    let text = r#"{"a": [1, {"b": null}, [], {}], "c": {"d": "}"}, "e": -1.5e3} "#;
    let mut names = Vec::new();
    let mut whole = json(text);
    whole
        .object(|json, name| {
            names.push(name.to_owned());
            json.skip()
        })
        .unwrap();
    whole.end().unwrap();
    assert_eq!(names, ["a", "c", "e"]);
    for text in ["", "[", "[1", "[1,", "{\"a\"", "{\"a\":", "{\"a\":1", "[1}", "{1:2}", "[,]"] {
        assert!(json(text).skip().is_err(), "{text:?}");
    }
}

#[test]
fn brackets_are_bounded_and_need_no_stack() {
    for (depth, is_refused) in [(MAX_DEPTH, false), (MAX_DEPTH + 1, true), (1 << 20, true)] {
        let text = "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(json(&text).skip().is_err(), is_refused, "{depth}");
    }
}

#[test]
fn refusals_say_where() {
    let refused = json("  [1, x]").array(|json| json.unsigned().map(drop)).unwrap_err();
    assert!(refused.to_string().starts_with("text: byte 14: found no whole number"), "{refused}");
}
