import Dispatch
import Forest
import Foundation
import Shapley
import Synchronization

// Shapley values of the models of a forest, measured: what `deploy/benchmark shapley` runs in a process of its own.
//
// usage: shapley-benchmark MODEL ROWS PLAYERS KIND INSTRUCTIONS THREADS
//
// MODEL is LightGBM's text, ROWS has N x D 32-bit floats, little-endian; the players own the same number of columns
// each. KIND is magnitudes (means of |phi| in fixed point), segments (means of phi over segments of rows, by counting)
// or values (every phi in double precision, whose magnitudes and means are taken here, by one thread). Rows are read
// block by block; every fourth row is of the same segment. Everything is measured: preparing the forest, reading,
// computing. Prints JSON.

struct Measurement: Codable {
    var rows: Int
    var seconds: Double
    var cpuSeconds: Double
    /// Of these, for preparing the forest.
    var preparationSeconds: Double
    /// Peak resident memory, and what it was before the first rows were read.
    var peakMegabytes: Double
    var initialMegabytes: Double
    /// Rows of a block.
    var blockRows: Int
    /// Mean magnitudes, K x M; empty for segments.
    var means: [Double]
    /// Mean values of each segment, S x K x M; empty for magnitudes.
    var segmentMeans: [Double]
    /// The bits of all means.
    var bits: String
}

enum Kind: String {
    case magnitudes
    case segments
    case values
}

struct Result {
    var rows = 0
    var means: [Double] = []
    var segmentMeans: [Double] = []
}

let segmentCount = 4

/// User and system time of all threads, in seconds.
func cpuSeconds() -> Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    return seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// Peak resident memory in MB; not ru_maxrss, which begins with what the parent had when it forked.
func peakMegabytes() throws -> Double {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    return (line?.split(separator: " ").compactMap { Double($0) }.first ?? .nan) / 1024
}

@Sendable func fail(_ message: String) -> Never {
    FileHandle.standardError.write(Data("\(message)\n".utf8))
    exit(2)
}

let arguments = CommandLine.arguments
guard arguments.count == 7, let playerCount = Int(arguments[3]), let kind = Kind(rawValue: arguments[4]),
    let instructions = Instructions(rawValue: arguments[5]), let threads = Int(arguments[6]), threads > 0
else { fail("usage: shapley-benchmark MODEL ROWS PLAYERS magnitudes|segments|values portable|avx2|avx512 THREADS") }
guard Instructions.available.contains(instructions) else { fail("this machine has no \(instructions)") }

let forest = try Forest(lightGBMText: Data(contentsOf: URL(fileURLWithPath: arguments[1])))
let width = forest.featureCount
let players = try Players(count: playerCount, columnsEach: width / playerCount)
let file = Mutex((handle: try FileHandle(forReadingFrom: URL(fileURLWithPath: arguments[2])), next: 0))
let initial = try peakMegabytes()

/// Threads at work and rows of a block: all blocks, with what is computed of them, take no more than 64 MiB.
let (workers, blockRows) = {
    // As read and as doubles, binned, the sums of a class.
    let bytesPerRow = width * (4 + 8 + 1) + (playerCount + 16) * 4
    let (all, tables, fewest) = (56 << 20, 2 << 20, 256)
    let workers = max(1, min(threads, all / (tables + fewest * bytesPerRow)))
    return (workers, max(fewest, min(32_768, (all / workers - tables) / bytesPerRow / fewest * fewest)))
}()

/// The next block of rows with its number; nil at the end.
@Sendable func nextBlock() throws -> (index: Int, rows: [Double])? {
    let (data, index) = try file.withLock { file in
        defer { file.next += 1 }
        return (try file.handle.read(upToCount: blockRows * width * 4), file.next)
    }
    guard let data, !data.isEmpty else { return nil }
    return (index, data.withUnsafeBytes { $0.bindMemory(to: Float.self).map(Double.init) })
}

/// Calls `body` with all blocks, by all threads.
func forEachBlock(_ body: @Sendable (_ index: Int, _ rows: [Double]) throws -> Void) {
    DispatchQueue.concurrentPerform(iterations: workers) { _ in
        do {
            while let (index, rows) = try nextBlock() { try body(index, rows) }
        } catch {
            fail("\(error)")
        }
    }
}

/// Mean magnitudes in fixed point.
func magnitudes(preparation: inout Double) throws -> Result {
    let kernel = try MeanMagnitudes(forest: forest, players: players, instructions: instructions)
    preparation = cpuSeconds() - cpuBegan
    let total = Mutex(kernel.zero)
    forEachBlock { _, rows in
        let sums = try kernel.sums(rows: rows)
        total.withLock { $0 += sums }
    }
    return total.withLock { Result(rows: $0.rowCount, means: kernel.means($0)) }
}

/// Mean values of each segment by counting; blocks' sums are added in their order.
func segments(preparation: inout Double) throws -> Result {
    let kernel = try SegmentedShapley(forest: forest, players: players, instructions: instructions)
    preparation = cpuSeconds() - cpuBegan
    let blocks = Mutex<[Int: (rows: Int, sums: [Double])]>([:])
    forEachBlock { index, rows in
        let own = (0..<rows.count / width).map { $0 % segmentCount }
        let sums = try kernel.sums(rows: rows, segments: own, segmentCount: segmentCount)
        blocks.withLock { $0[index] = (own.count, sums) }
    }
    let ordered = blocks.withLock { $0.sorted { $0.key < $1.key }.map(\.value) }
    var total = Result(segmentMeans: [Double](repeating: 0, count: segmentCount * forest.classCount * playerCount))
    for (rows, sums) in ordered {
        total.rows += rows
        for index in sums.indices { total.segmentMeans[index] += sums[index] }
    }
    divide(&total.segmentMeans, rows: total.rows)
    return total
}

/// Mean magnitudes, and mean values of each segment, of values in double precision.
func values(preparation: inout Double) throws -> Result {
    let kernel = try GroupedShapley(forest: forest, players: players, instructions: instructions)
    preparation = cpuSeconds() - cpuBegan
    let rowSize = forest.classCount * playerCount
    var total = Result(
        means: [Double](repeating: 0, count: rowSize),
        segmentMeans: [Double](repeating: 0, count: segmentCount * rowSize))
    while let (_, rows) = try nextBlock() {
        let phi = try kernel.values(rows: rows)
        for row in 0..<rows.count / width {
            for index in 0..<rowSize {
                let value = phi[row * rowSize + index]
                total.means[index] += value.magnitude
                total.segmentMeans[row % segmentCount * rowSize + index] += value
            }
        }
        total.rows += rows.count / width
    }
    for index in total.means.indices { total.means[index] /= Double(total.rows) }
    divide(&total.segmentMeans, rows: total.rows)
    return total
}

/// Every block but the last has a multiple of the number of segments.
func divide(_ sums: inout [Double], rows: Int) {
    let size = sums.count / segmentCount
    for index in sums.indices {
        sums[index] /= Double((rows + segmentCount - 1 - index / size) / segmentCount)
    }
}

let (began, cpuBegan) = (ContinuousClock.now, cpuSeconds())
var preparation = 0.0
let result =
    switch kind {
    case .magnitudes: try magnitudes(preparation: &preparation)
    case .segments: try segments(preparation: &preparation)
    case .values: try values(preparation: &preparation)
    }
let measurement = Measurement(
    rows: result.rows, seconds: (ContinuousClock.now - began) / .seconds(1), cpuSeconds: cpuSeconds() - cpuBegan,
    preparationSeconds: preparation, peakMegabytes: try peakMegabytes(), initialMegabytes: initial,
    blockRows: blockRows, means: result.means, segmentMeans: result.segmentMeans,
    bits: (result.means + result.segmentMeans).map { String($0.bitPattern, radix: 16) }.joined(separator: " "))
let encoder = JSONEncoder()
encoder.keyEncodingStrategy = .convertToSnakeCase
FileHandle.standardOutput.write(try encoder.encode(measurement) + Data("\n".utf8))
