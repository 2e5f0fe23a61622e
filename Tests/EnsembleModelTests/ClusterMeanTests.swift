import EnsembleModel
import Testing

@Suite("Cluster-robust means")
struct ClusterMeanTests {
    @Test("rows of a group count as one observation")
    func groups() throws {
        // Groups sum to 3 and 9 over 2 and 2 rows; mean 3, deviations -3 and 3: sqrt(2/1 * 18) / 4 = 1.5.
        var mean = ClusterMean(groupCount: 3)
        for (value, group) in [(1.0, 0), (4.0, 2), (2.0, 0), (5.0, 2)] { mean.add(value, group: group) }
        #expect(mean.mean == 3)
        #expect(mean.standardError == 1.5)
    }

    @Test("single rows give the usual standard error, one group none")
    func singles() throws {
        var mean = ClusterMean(groupCount: 4)
        for (group, value) in [2.0, 4, 4, 6].enumerated() { mean.add(value, group: group) }
        #expect(mean.mean == 4)
        // s / sqrt(n), s^2 = 8 / 3.
        let error = try #require(mean.standardError)
        #expect(abs(error - (8.0 / 3 / 4).squareRoot()) < 1e-15)

        var single = ClusterMean(groupCount: 1)
        single.add(1, group: 0)
        #expect(single.standardError == nil)
        #expect(ClusterMean(groupCount: 2).mean.isNaN)
    }
}
