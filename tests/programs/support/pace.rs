// SPDX-License-Identifier: Apache-2.0
// pace.h for the Rust programs: an end, and waits between accesses.
use std::cell::Cell;
use std::io::Read;
use std::time::Duration;

#[repr(C)]
struct TimeSpec {
    seconds: i64,
    nanoseconds: i64,
}

extern "C" {
    fn clock_gettime(clock: i32, time: *mut TimeSpec) -> i32;
    fn _exit(status: i32) -> !;
    fn prctl(option: i32, slack: u64) -> i32;
    fn sched_yield() -> i32;
}

static mut ROUNDS_WANTED: u64 = 0; // both set before the first thread starts
static mut ROUNDS_BEGIN_NS: i64 = 0;
thread_local! { static ROUNDS_DONE: Cell<u64> = Cell::new(0); }

fn cpu_time_ns() -> i64 {
    let mut time = TimeSpec { seconds: 0, nanoseconds: 0 };
    unsafe { clock_gettime(2, &mut time) }; // CLOCK_PROCESS_CPUTIME_ID
    time.seconds * 1_000_000_000 + time.nanoseconds
}

pub fn end_with_stdin() {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(60);
    let rounds = std::env::var("RG_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    unsafe {
        ROUNDS_WANTED = rounds;
        ROUNDS_BEGIN_NS = cpu_time_ns();
        prctl(29, 1); // PR_SET_TIMERSLACK
    }
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(seconds));
        unsafe { _exit(0) }
    });
    std::thread::spawn(|| {
        let mut ignored = [0u8; 64];
        while matches!(std::io::stdin().read(&mut ignored), Ok(bytes) if bytes > 0) {}
        unsafe { _exit(0) }
    });
}

fn ticks() -> u64 {
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[inline(never)]
pub fn pause_us(mean: u64) {
    let wanted = unsafe { ROUNDS_WANTED };
    if wanted != 0 {
        let done = ROUNDS_DONE.with(|done| {
            done.set(done.get() + 1);
            done.get()
        });
        unsafe {
            if done >= wanted {
                let begin = ROUNDS_BEGIN_NS;
                eprintln!("rounds took {} ns of CPU time", cpu_time_ns() - begin);
                _exit(0)
            }
            if done % 16 == 0 {
                sched_yield();
            }
        }
        return;
    }
    std::thread::sleep(Duration::from_micros(mean / 2 + (ticks() >> 4) % (mean + 1)));
}
