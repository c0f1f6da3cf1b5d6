// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: unsafe_cell::HITS | unsafe_cell::HITS.*
// pairs: 1-2
// builds: O0-g O2-g
// rate: 5000 a second a thread
// An UnsafeCell in a type that claims to be Sync and has nothing to back it.
#[path = "../support/pace.rs"]
mod pace;

use std::cell::UnsafeCell;

struct Shared {
    hits: UnsafeCell<u64>,
}
unsafe impl Sync for Shared {}

static HITS: Shared = Shared { hits: UnsafeCell::new(0) };

fn serve() {
    loop {
        unsafe { *HITS.hits.get() += 1 } // race:1
        pace::pause_us(150);
    }
}

fn report() {
    loop {
        let seen = unsafe { *HITS.hits.get() }; // race:2
        unsafe { std::arch::asm!("/* {0} */", in(reg) seen) }
        pace::pause_us(150);
    }
}

fn main() {
    // Its address is given away, or newer compilers take the field out of the static and describe neither.
    unsafe { std::arch::asm!("/* {0} */", in(reg) HITS.hits.get()) }
    pace::end_with_stdin();
    std::thread::spawn(serve);
    report();
}
