import Testing

@testable import ServingNode

@Suite struct CircuitBreakerTests {
    private let start = ContinuousClock.now
    private let settings = CircuitBreaker.Settings(
        failures: 3, pause: .seconds(1), longestPause: .seconds(5))

    /// A breaker that expectations can change.
    private final class Breaker {
        private var breaker: CircuitBreaker

        init(_ settings: CircuitBreaker.Settings) { breaker = CircuitBreaker(settings) }

        var state: CircuitBreaker.State { breaker.state }
        func admit(at now: ContinuousClock.Instant) -> Bool { breaker.admit(at: now) }
        func succeed() { breaker.succeed() }
        func fail(at now: ContinuousClock.Instant) { breaker.fail(at: now) }
        func abandon(at now: ContinuousClock.Instant) { breaker.abandon(at: now) }
    }

    private func opened() -> Breaker {
        let breaker = Breaker(settings)
        for _ in 0..<3 {
            #expect(breaker.admit(at: start))
            breaker.fail(at: start)
        }
        return breaker
    }

    @Test func failuresInARowOpenIt() {
        let breaker = Breaker(settings)
        breaker.fail(at: start)
        breaker.fail(at: start)
        breaker.succeed()
        breaker.fail(at: start)
        breaker.fail(at: start)
        #expect(breaker.state == .closed(failures: 2))
        #expect(breaker.admit(at: start))
        breaker.fail(at: start)
        #expect(breaker.state == .open(until: start + .seconds(1)))
        #expect(!breaker.admit(at: start + .milliseconds(999)))
    }

    @Test func oneProbePassesAfterThePause() {
        let breaker = opened()
        #expect(breaker.admit(at: start + .seconds(1)))
        #expect(breaker.state == .halfOpen)
        #expect(!breaker.admit(at: start + .seconds(100)))
        breaker.succeed()
        #expect(breaker.state == .closed(failures: 0))
        #expect(breaker.admit(at: start + .seconds(100)) && breaker.admit(at: start + .seconds(100)))
    }

    @Test func failedProbesDoubleThePauseUpToABound() {
        let breaker = opened()
        var now = start
        for pause in [1, 2, 4, 5, 5] {
            #expect(breaker.state == .open(until: now + .seconds(pause)))
            now += .seconds(pause)
            #expect(breaker.admit(at: now))
            breaker.fail(at: now)
        }
        now += .seconds(5)
        #expect(breaker.admit(at: now))
        breaker.succeed()
        for _ in 0..<3 { breaker.fail(at: now) }
        #expect(breaker.state == .open(until: now + .seconds(1)))
    }

    @Test func answersToEarlierCallsSayNothing() {
        let breaker = opened()
        breaker.succeed()
        breaker.fail(at: start + .seconds(9))
        #expect(breaker.state == .open(until: start + .seconds(1)))
    }

    @Test func aProbeThatWasNotMadeIsLeftToTheNext() {
        let breaker = opened()
        #expect(breaker.admit(at: start + .seconds(1)))
        breaker.abandon(at: start + .seconds(1))
        #expect(breaker.admit(at: start + .seconds(1)))
        breaker.succeed()
        breaker.abandon(at: start)
        #expect(breaker.state == .closed(failures: 0))
    }
}
