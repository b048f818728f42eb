//! How many processors this process may use, found without memory that might not be there.

/// Processors that this process may use: those that it is allowed, as far as its control groups let
/// it use them all the time.
#[cfg(target_os = "linux")]
pub(super) fn count() -> usize {
    linux::allowed().min(linux::quota().unwrap_or(usize::MAX)).max(1)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Processors of this machine, or of the part of a machine that a virtual one has.
pub(super) fn online() -> usize {
    #[cfg(unix)]
    // SAFETY: `sysconf` only reads a number, and has no memory to be given.
    let count = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    #[cfg(not(unix))]
    let count = std::thread::available_parallelism().map_or(1, usize::from) as i64;
    usize::try_from(count).unwrap_or(1).max(1)
}

#[cfg(target_os = "linux")]
pub(super) use linux::read;

#[cfg(target_os = "linux")]
mod linux {
    use std::fmt::{self, Write as _};
    use std::fs::File;
    use std::io::Read as _;

    /// Bytes of a path to a file of a control group.
    const MAX_PATH: usize = 512;
    /// Bytes of the list of a process's control groups.
    const MAX_GROUPS: usize = 4 << 10;

    /// Processors that this thread may run on.
    pub(super) fn allowed() -> usize {
        // SAFETY: `set` is a set of bits, of which zeros are a value. `sched_getaffinity` fails if
        // the set is too small.
        let count = unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            match libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) {
                0 => i64::from(libc::CPU_COUNT(&set)),
                _ => libc::sysconf(libc::_SC_NPROCESSORS_ONLN),
            }
        };
        usize::try_from(count).unwrap_or(1)
    }

    /// As many processors' time as the control groups of this process give it, if they say.
    pub(super) fn quota() -> Option<usize> {
        let mut room = [0; MAX_GROUPS];
        let groups = read("/proc/self/cgroup", &mut room)?;
        let quotas = groups.lines().filter_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (number, controllers, group) = (fields.next()?, fields.next()?, fields.next()?);
            if number == "0" && controllers.is_empty() {
                return least("/sys/fs/cgroup", group, quota_of_v2);
            }
            controllers.split(',').find(|&controller| controller == "cpu")?;
            ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"]
                .into_iter()
                .find_map(|mount| least(mount, group, quota_of_v1))
        });
        quotas.min()
    }

    /// The least quota of a group and of all groups that it is in.
    fn least(
        mount: &str, group: &str, quota: fn(&str, &str) -> Option<(u64, u64)>,
    ) -> Option<usize> {
        let ends = group.char_indices().filter(|(_, letter)| *letter == '/').map(|(end, _)| end);
        let groups = ends.chain([group.len()]).filter_map(|end| group.get(..end));
        let quotas = groups.filter_map(|group| {
            let (time, period) = quota(mount, group)?;
            usize::try_from(time.checked_div(period)?).ok().map(|count| count.max(1))
        });
        quotas.min()
    }

    /// Time in each period, and the period.
    fn quota_of_v2(mount: &str, group: &str) -> Option<(u64, u64)> {
        let mut room = [0; 64];
        let text = read_of_group(mount, group, "cpu.max", &mut room)?;
        let (time, period) = text.trim().split_once(' ')?;
        Some((time.parse().ok()?, period.parse().ok()?))
    }

    fn quota_of_v1(mount: &str, group: &str) -> Option<(u64, u64)> {
        let number = |name| -> Option<u64> {
            let mut room = [0; 64];
            read_of_group(mount, group, name, &mut room)?.trim().parse().ok()
        };
        Some((number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?))
    }

    fn read_of_group<'a>(
        mount: &str, group: &str, name: &str, room: &'a mut [u8],
    ) -> Option<&'a str> {
        let mut path = PathText { bytes: [0; MAX_PATH], len: 0 };
        write!(path, "{mount}{group}/{name}").ok()?;
        read(std::str::from_utf8(path.bytes.get(..path.len)?).ok()?, room)
    }

    /// As much of a text file as there is room for.
    pub(in super::super) fn read<'a>(path: &str, room: &'a mut [u8]) -> Option<&'a str> {
        let mut file = File::open(path).ok()?;
        let mut len = 0;
        loop {
            match file.read(room.get_mut(len..)?).ok()? {
                0 => break,
                more => len = len.checked_add(more)?,
            }
        }
        std::str::from_utf8(room.get(..len)?).ok()
    }

    /// A path that is written piece by piece.
    struct PathText {
        bytes: [u8; MAX_PATH],
        len: usize,
    }

    impl fmt::Write for PathText {
        fn write_str(&mut self, part: &str) -> fmt::Result {
            let end = self.len.checked_add(part.len()).ok_or(fmt::Error)?;
            let place = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
            place.copy_from_slice(part.as_bytes());
            self.len = end;
            Ok(())
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn as_many_processors_are_counted_as_the_standard_library_counts() {
            let expected = std::thread::available_parallelism().unwrap().get();
            assert_eq!(super::super::count(), expected);
        }

        #[test]
        fn the_least_quota_of_all_groups_counts() {
            let quota = |mount: &str, group: &str| match (mount, group) {
                ("m", "") => Some((800, 100)),
                ("m", "/a") => Some((350, 100)),
                ("m", "/a/b") => Some((400, 100)),
                ("n", "/a/b") => Some((50, 100)),
                _ => None,
            };
            assert_eq!(least("m", "/a/b", quota), Some(3));
            assert_eq!(least("m", "/", quota), Some(8));
            assert_eq!(least("n", "/a/b", quota), Some(1));
            assert_eq!(least("o", "/a", quota), None);
        }

        #[test]
        fn a_path_that_is_too_long_is_no_path() {
            let mut path = PathText { bytes: [0; MAX_PATH], len: 0 };
            assert!(path.write_str(&"a".repeat(MAX_PATH)).is_ok());
            assert!(path.write_str("b").is_err());
        }
    }
}
