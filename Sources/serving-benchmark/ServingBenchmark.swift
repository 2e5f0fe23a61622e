import Foundation
import Hummingbird
import Logging
import NIOCore

/// The members of the benchmark `serving`: a server of the Open Inference Protocol that is cheap enough to leave the
/// processors to the servers that are measured. Arguments: a folder with `NAME.f32` (rows x 4 probabilities) of each
/// model, and the file to write the address to. The INT64 tensor `row` of a request says which rows to answer with.
@main
struct ServingBenchmark {
    static let classCount = 4

    static func main() async throws {
        guard CommandLine.arguments.count == 3 else {
            FileHandle.standardError.write(Data("usage: serving-benchmark FOLDER ADDRESS-FILE\n".utf8))
            exit(2)
        }
        let tables = try tables(URL(fileURLWithPath: CommandLine.arguments[1]))
        let router = Router()
        router.post("/v2/models/:model/infer") { request, context in
            guard let table = tables[try context.parameters.require("model")] else { throw HTTPError(.notFound) }
            let body = try await request.body.collect(upTo: 16 << 20)
            let rows = try rows(Array(body.readableBytesView), rowCount: table.count / classCount)
            return Response(
                status: .ok, headers: [.contentType: "application/json"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: answer(rows, table))))
        }
        let addressFile = CommandLine.arguments[2]
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in
                let address = Data("127.0.0.1:\(channel.localAddress?.port ?? 0)\n".utf8)
                guard FileManager.default.createFile(atPath: addressFile, contents: address) else { exit(1) }
            },
            logger: Logger(label: "members") { _ in SwiftLogNoOpLogHandler() })
        try await application.runService()
    }

    private static func tables(_ folder: URL) throws -> [String: [Float]] {
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        return try files.filter { $0.pathExtension == "f32" }.reduce(into: [:]) { tables, file in
            let values = try Data(contentsOf: file).withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
            tables[file.deletingPathExtension().lastPathComponent] = values
        }
    }

    /// The numbers of the tensor `row`, which has its name before its data.
    private static func rows(_ body: [UInt8], rowCount: Int) throws -> [Int] {
        let bytes = Data(body)
        guard let name = bytes.range(of: Data("\"row\"".utf8)),
            let data = bytes.range(of: Data("\"data\":[".utf8), in: name.upperBound..<bytes.endIndex)
        else { throw HTTPError(.badRequest) }
        var rows: [Int] = []
        var (row, hasDigits) = (0, false)
        for byte in bytes[data.upperBound...] {
            if byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
                (row, hasDigits) = (row * 10 + Int(byte - UInt8(ascii: "0")), true)
            } else if hasDigits {
                rows.append(row % rowCount)
                (row, hasDigits) = (0, false)
            }
            if byte == UInt8(ascii: "]") { break }
        }
        return rows
    }

    private static func answer(_ rows: [Int], _ table: [Float]) -> String {
        var values = ""
        for row in rows {
            for value in table[row * classCount..<(row + 1) * classCount] {
                if !values.isEmpty { values += "," }
                values += value.description
            }
        }
        return
            #"{"outputs":[{"name":"p","datatype":"FP32","shape":[\#(rows.count),\#(classCount)],"data":[\#(values)]}]}"#
    }
}
