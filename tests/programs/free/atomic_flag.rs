// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: atomic_flag::MAIL
// builds: O0-g O2-g O2-stripped
// rate: 5000 a second a thread
// An UnsafeCell that is Sync for a reason: an atomic flag beside it says who may touch it.
#[path = "../support/pace.rs"]
mod pace;

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

struct Mail {
    full: AtomicBool,
    letter: UnsafeCell<u64>,
}
unsafe impl Sync for Mail {}

static MAIL: Mail = Mail { full: AtomicBool::new(false), letter: UnsafeCell::new(0) };
static DELIVERED: AtomicU64 = AtomicU64::new(0);

fn turn(mine: bool) {
    loop {
        while MAIL.full.load(Ordering::Acquire) != mine {
            pace::pause_us(60);
        }
        unsafe { *MAIL.letter.get() += 1 }
        DELIVERED.fetch_add(1, Ordering::Relaxed);
        MAIL.full.store(!mine, Ordering::Release);
        pace::pause_us(60);
    }
}

fn main() {
    pace::end_with_stdin();
    std::thread::spawn(|| turn(true));
    turn(false);
}
