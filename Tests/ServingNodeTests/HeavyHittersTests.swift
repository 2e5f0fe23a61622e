import RegistryTesting
import Testing

@testable import ServingNode

@Suite struct HeavyHittersTests {
    @Test func findsTheFrequentKeysAmongMany() {
        var random = SplitMix64(seed: 8)
        var hitters = HeavyHitters<Int, String>(capacity: 20)
        for _ in 0..<50_000 {
            // Ten keys take a third of a stream of 100,000.
            let key = random.next() % 3 == 0 ? Int(random.next() % 10) : 10 + Int(random.next() % 100_000)
            hitters.add(key) { "payload \(key)" }
        }
        let top = hitters.top
        #expect(top.count == 20)
        #expect(Set(top.prefix(10).map(\.key)) == Set(0..<10))
        #expect(top.allSatisfy { $0.payload == "payload \($0.key)" })
        #expect(zip(top, top.dropFirst()).allSatisfy { $0.count >= $1.count })
    }

    @Test func whatWasFrequentOnceGivesWay() {
        var hitters = HeavyHitters<Int, Int>(capacity: 5, width: 64)
        for step in 0..<2000 { hitters.add(step % 5) { step } }
        for step in 0..<4000 { hitters.add(100 + step % 5) { step } }
        #expect(Set(hitters.top.map(\.key)) == Set(100..<105))
    }

    @Test func makesNoPayloadForWhatStaysOut() {
        var hitters = HeavyHitters<Int, Int>(capacity: 1)
        for _ in 0..<3 { hitters.add(1) { 1 } }
        hitters.add(2) {
            Issue.record("a payload was made of a seldom key")
            return 2
        }
        hitters.add(3) { nil }
        #expect(hitters.top.map(\.key) == [1])
    }
}
