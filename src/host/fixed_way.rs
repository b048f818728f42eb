//! The environment variable that fixes the way of copying: `SHARDSPEC_COPY_WAY`.

use std::ffi::CStr;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cpu::{LINE, Level};
use super::options::{Prefetch, PrefetchInto};
use super::stream::StoreMode;
use crate::unwind::uncancelled;

/// What the variable says. Each part that it leaves out is what the library would use without
/// measurements.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct FixedWay {
    level: Option<Level>,
    streaming: Option<bool>,
    ahead: Option<usize>,
    into: Option<PrefetchInto>,
}

impl FixedWay {
    /// A way, but for what is fixed. The processor may have no higher level than that way's.
    pub(super) fn way(self, way: StoreMode) -> StoreMode {
        StoreMode {
            level: self.level.map_or(way.level, |level| level.min(way.level)),
            streaming: self.streaming.unwrap_or(way.streaming),
            prefetch: Prefetch {
                ahead: self.ahead.unwrap_or(way.prefetch.ahead),
                into: self.into.unwrap_or(way.prefetch.into),
            },
        }
    }

    /// Reads words with commas between them. None where one is not known.
    fn parse(text: &[u8]) -> Option<Self> {
        let mut fixed = Self::default();
        for word in text.split(|&byte| byte == b',') {
            match word {
                b"default" => {}
                b"cached" => fixed.streaming = Some(false),
                b"stream" => fixed.streaming = Some(true),
                b"l1" => fixed.into = Some(PrefetchInto::FirstLevel),
                b"l2" => fixed.into = Some(PrefetchInto::SecondLevel),
                _ => match (Level::named(word), std::str::from_utf8(word)) {
                    (Some(level), _) => fixed.level = Some(level),
                    (None, Ok(digits)) => {
                        let bytes: usize = digits.parse().ok()?;
                        fixed.ahead = Some(bytes.checked_next_multiple_of(LINE)?);
                    }
                    _ => return None,
                },
            }
        }
        Some(fixed)
    }

    /// As a number above 1.
    fn pack(self) -> u64 {
        let level = self.level.map_or(0, |level| 1 | (level as u64) << 1);
        let streaming = self.streaming.map_or(0, |streaming| 1 | u64::from(streaming) << 1);
        let ahead = self.ahead.map_or(0, |ahead| 1 | (ahead as u64 & MAX_AHEAD) << 1);
        let into = self.into.map_or(0, |into| 1 | (into as u64) << 1);
        2 | level << 2 | streaming << 5 | ahead << 7 | into << 40
    }

    fn unpack(number: u64) -> Self {
        let part = |shift: u32, mask: u64| {
            let part = number >> shift;
            (part & 1 == 1).then_some(part >> 1 & mask)
        };
        Self {
            level: part(2, 3).and_then(|level| Level::ALL.get(level as usize).copied()),
            streaming: part(5, 1).map(|streaming| streaming == 1),
            ahead: part(7, MAX_AHEAD).map(|ahead| ahead as usize),
            into: part(40, 1).map(|into| match into {
                0 => PrefetchInto::FirstLevel,
                _ => PrefetchInto::SecondLevel,
            }),
        }
    }
}

/// The longest distance that can be fixed, and some more.
const MAX_AHEAD: u64 = (1 << 31) - 1;

/// What the environment fixes, as it was when a copy asked for the first time.
pub(super) fn get() -> Option<FixedWay> {
    static KNOWN: AtomicU64 = AtomicU64::new(0);
    let number = match KNOWN.load(Ordering::Relaxed) {
        0 => {
            let number = uncancelled(read).map_or(1, FixedWay::pack);
            KNOWN.store(number, Ordering::Relaxed);
            number
        }
        number => number,
    };
    (number > 1).then(|| FixedWay::unpack(number))
}

fn read() -> Option<FixedWay> {
    // SAFETY: `getenv` gets a text that ends with NUL. What it returns is NULL or a `text` of the
    // environment, which stays as it is while it is read, unless another thread changes the
    // environment at the same time, which POSIX forbids.
    let text = unsafe {
        let text = libc::getenv(c"SHARDSPEC_COPY_WAY".as_ptr());
        if text.is_null() {
            return None;
        }
        CStr::from_ptr(text)
    };
    FixedWay::parse(text.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::PrefetchInto::{FirstLevel, SecondLevel};
    use super::*;

    #[test]
    fn words_fix_parts_of_a_way_and_unknown_ones_fix_nothing() {
        let prefetch = Prefetch { ahead: 512, into: PrefetchInto::FirstLevel };
        let way = StoreMode { level: Level::ALL[Level::ALL.len() - 1], streaming: true, prefetch };
        let fixed = |text: &str| FixedWay::parse(text.as_bytes()).map(|fixed| fixed.way(way));
        assert_eq!(fixed("default"), Some(way));
        assert_eq!(fixed("cached"), Some(StoreMode { streaming: false, ..way }));
        let ahead = |ahead| StoreMode { prefetch: Prefetch { ahead, ..prefetch }, ..way };
        assert_eq!(fixed("stream,100"), Some(ahead(128)));
        assert_eq!(fixed("portable,0"), Some(StoreMode { level: Level::Portable, ..ahead(0) }));
        let into = PrefetchInto::SecondLevel;
        assert_eq!(fixed("l2"), Some(StoreMode { prefetch: Prefetch { into, ..prefetch }, ..way }));
        assert_eq!(fixed("l2,l1"), Some(way));
        for text in ["", "fast", "cached,", "-1", "99999999999999999999", "\u{e9}"] {
            assert_eq!(fixed(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_fixed_is_kept_in_a_number() {
        for level in Level::ALL.map(Some).into_iter().chain([None]) {
            for streaming in [None, Some(false), Some(true)] {
                for ahead in [None, Some(0), Some(512), Some(1 << 20)] {
                    for into in [None, Some(FirstLevel), Some(SecondLevel)] {
                        let fixed = FixedWay { level, streaming, ahead, into };
                        assert!(fixed.pack() > 1);
                        assert_eq!(FixedWay::unpack(fixed.pack()), fixed);
                    }
                }
            }
        }
    }
}
