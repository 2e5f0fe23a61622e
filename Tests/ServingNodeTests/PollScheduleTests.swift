import Testing

@testable import ServingNode

@Suite struct PollScheduleTests {
    /// Always the lowest or nearly the highest number; the highest itself is rejected for ever when it is drawn from.
    private struct Extreme: RandomNumberGenerator {
        let value: UInt64
        mutating func next() -> UInt64 { value }
    }

    @Test func keepsItsPaceWithinATenth() {
        var schedule = PollSchedule(interval: .seconds(2), longestBackoff: .seconds(60))
        var (low, high) = (Extreme(value: 0), Extreme(value: .max - 1 << 20))
        #expect(schedule.delay(afterFailure: false, using: &low) >= .milliseconds(1799))
        #expect(schedule.delay(afterFailure: false, using: &high) <= .milliseconds(2201))
    }

    @Test func drawsFromARangeThatDoublesWithEachFailureUpToAMinute() {
        var schedule = PollSchedule(interval: .seconds(2), longestBackoff: .seconds(60))
        var (low, high) = (Extreme(value: 0), Extreme(value: .max - 1 << 20))
        for bound in [1, 2, 4, 8, 16, 32, 60, 60] {
            let delay = schedule.delay(afterFailure: true, using: &high)
            #expect(delay > .seconds(bound) - .milliseconds(1) && delay <= .seconds(bound))
        }
        #expect(schedule.delay(afterFailure: true, using: &low) == .zero)
        _ = schedule.delay(afterFailure: false, using: &low)
        #expect(schedule.delay(afterFailure: true, using: &high) <= .seconds(1))
    }
}
