// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: static_mut::COUNTER
// pairs: 1-1
// builds: O0-g O2-g O2-stripped
// rate: 5000 a second a thread
// Rust's static mut, and the unsafe block that promised to be careful.
#[path = "../support/pace.rs"]
mod pace;

static mut COUNTER: u64 = 0;

fn worker() {
    loop {
        unsafe {
            COUNTER += 1; // race:1
        }
        pace::pause_us(150);
    }
}

fn main() {
    pace::end_with_stdin();
    std::thread::spawn(worker);
    worker();
}
