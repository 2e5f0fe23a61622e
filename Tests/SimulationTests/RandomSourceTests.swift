import Foundation
import Testing

@testable import Simulation

struct RandomSourceTests {
    /// Computed by an independent implementation of the same algorithms.
    @Test func drawsAreTheSameEverywhere() {
        var random = RandomSource(seed: 1, run: 2, stream: 3)
        #expect((0..<2).map { _ in random.next() } == [6_555_911_209_906_109_020, 17_132_267_404_512_841_579])
        #expect((0..<3).map { _ in random.normal() } == [-0.20109782479618496, -0.7566050270941733, 1.6416258049089])
    }

    @Test func seedsRunsAndStreamsDiffer() {
        var first: Set<UInt64> = []
        for seed in UInt64(0)..<4 {
            for run in 0..<4 {
                for stream in UInt64(0)..<4 {
                    var random = RandomSource(seed: seed, run: run, stream: stream)
                    first.insert(random.next())
                }
            }
        }
        #expect(first.count == 64)
    }

    @Test func normalDrawsAreNormal() {
        var random = RandomSource(seed: 7, run: 0, stream: 0)
        let draws = (0..<40_000).map { _ in random.normal() }
        // Four standard errors of each figure.
        #expect(abs(draws.mean) < 0.02)
        #expect(abs(draws.map { $0 * $0 }.mean - 1) < 0.03)
        #expect(abs(draws.map { $0 * $0 * $0 * $0 }.mean - 3) < 0.2)
        for (limit, tail) in [(1.0, 0.15866), (2.0, 0.02275), (3.0, 0.00135)] {
            let share = Double(draws.count { $0 > limit }) / 40_000
            #expect(abs(share - tail) < 4 * (tail / 40_000).squareRoot(), "beyond \(limit)")
        }
    }

    @Test func gumbelDrawsPickClassesAsSoftmaxDoes() {
        var random = RandomSource(seed: 8, run: 0, stream: 0)
        let hits = (0..<20_000).count { _ in random.gumbel() + 1 > random.gumbel() }
        #expect(abs(Double(hits) / 20_000 - 1 / (1 + exp(-1))) < 0.013)
    }

    @Test func samplesHaveTheirSize() {
        var random = RandomSource(seed: 9, run: 0, stream: 0)
        let sample = random.sample(20, of: 5..<200)
        #expect(sample.count == 20)
        #expect(sample.allSatisfy { (5..<200).contains($0) })
    }
}
