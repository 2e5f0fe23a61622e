import Testing

@testable import ServingNode

@Suite struct PollScheduleTests {
    /// SplitMix64: the same numbers in every run.
    private struct Numbers: RandomNumberGenerator {
        var state: UInt64 = 7

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    /// The shortest and the longest of many pauses after a poll that follows some failures.
    private func pauses(afterFailures failures: Int, isFailure: Bool) -> (shortest: Duration, longest: Duration) {
        var numbers = Numbers()
        var schedule = PollSchedule(interval: .seconds(2), longestBackoff: .seconds(60))
        for _ in 0..<failures { _ = schedule.delay(afterFailure: true, using: &numbers) }
        let pauses = (0..<1000).map { _ in
            var copy = schedule
            return copy.delay(afterFailure: isFailure, using: &numbers)
        }
        return (pauses.min() ?? .zero, pauses.max() ?? .zero)
    }

    @Test(arguments: [0, 5]) func keepsItsPaceWithinATenth(failures: Int) {
        let (shortest, longest) = pauses(afterFailures: failures, isFailure: false)
        #expect(shortest >= .seconds(1.8) && shortest < .seconds(1.81))
        #expect(longest <= .seconds(2.2) && longest > .seconds(2.19))
    }

    @Test(arguments: [(0, 1), (1, 2), (2, 4), (5, 32), (6, 60), (100, 60)])
    func drawsFromARangeThatDoublesWithEachFailureUpToAMinute(failures: Int, bound: Int) {
        let (shortest, longest) = pauses(afterFailures: failures, isFailure: true)
        #expect(shortest >= .zero && shortest < .seconds(bound) * 0.02)
        #expect(longest <= .seconds(bound) && longest > .seconds(bound) * 0.98)
    }

    @Test func whatAPollTookCountsTowardsTheInterval() {
        var numbers = Numbers()
        var schedule = PollSchedule(interval: .seconds(2), longestBackoff: .seconds(60))
        let delay = schedule.delay(afterFailure: false, elapsed: .seconds(1), using: &numbers)
        #expect(delay >= .seconds(0.8) && delay <= .seconds(1.2))
        #expect(schedule.delay(afterFailure: false, elapsed: .seconds(45), using: &numbers) == .zero)
        #expect(schedule.delay(afterFailure: true, elapsed: .seconds(45), using: &numbers) >= .zero)
    }

    @Test func startsAgainAfterASuccess() {
        var numbers = Numbers()
        var schedule = PollSchedule(interval: .seconds(2), longestBackoff: .seconds(60))
        for _ in 0..<9 { _ = schedule.delay(afterFailure: true, using: &numbers) }
        _ = schedule.delay(afterFailure: false, using: &numbers)
        #expect(schedule.delay(afterFailure: true, using: &numbers) <= .seconds(1))
    }
}
