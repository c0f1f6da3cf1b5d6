// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: heap
// pairs: 1-1
// builds: O2-g O2-stripped
// rate: 5000 a second a thread
// A Box whose address two threads were given as a number, past the borrow checker.
#[path = "../support/pace.rs"]
mod pace;

fn worker(address: usize) {
    let count = address as *mut u64;
    loop {
        unsafe { *count += 1 } // race:1
        pace::pause_us(150);
    }
}

fn main() {
    pace::end_with_stdin();
    let address = Box::into_raw(Box::new(0u64)) as usize;
    std::thread::spawn(move || worker(address));
    worker(address);
}
