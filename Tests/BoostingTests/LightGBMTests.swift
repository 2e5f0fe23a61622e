import EnsembleModel
import Foundation
import Testing

@testable import Boosting

struct LightGBMTests {
    @Test func theInstalledLibraryIsIdentified() throws {
        let library = try LightGBM.load()
        #expect(try library.sha256 == .of(Data(contentsOf: URL(fileURLWithPath: library.path))))
        #expect(["4.7.0", "unrecognised"].contains(library.version))
    }

    @Test func aMissingLibraryNamesTheRemedy() throws {
        let error = #expect(throws: BoostingError.self) { try LightGBM.load(path: "/nonexistent/lib_lightgbm.so") }
        #expect(error?.code == .libraryMissing)
        #expect(error?.message.contains("deploy/setup") == true)
    }

    @Test func aFileThatIsNoLibraryIsRefused() throws {
        let error = #expect(throws: BoostingError.self) { try LightGBM.load(path: #filePath) }
        #expect(error?.code == .libraryUnusable)
    }

    @Test func aLibraryThatIsNotLightGBMIsRefused() throws {
        let places = ["/lib/x86_64-linux-gnu/libm.so.6", "/lib/aarch64-linux-gnu/libm.so.6"]
        let other = try #require(places.first { FileManager.default.fileExists(atPath: $0) })
        let error = #expect(throws: BoostingError.self) { try LightGBM.load(path: other) }
        #expect(error?.message.contains("LGBM_GetLastError") == true)
    }

    @Test func thePathGivenComesBeforeTheEnvironmentAndTheUsualPlaces() {
        let environment = ["LIGHTGBM_LIBRARY": "/opt/a.so", "HOME": "/home/u"]
        #expect(LightGBM.candidates(path: "/x.so", environment: environment) == ["/x.so"])
        #expect(LightGBM.candidates(path: nil, environment: environment) == ["/opt/a.so"])
        #expect(
            LightGBM.candidates(path: nil, environment: ["HOME": "/home/u"]) == [
                "/usr/local/lib/ensemble-registry/lib_lightgbm.so",
                "/home/u/.local/lib/ensemble-registry/lib_lightgbm.so",
            ])
    }

    @Test func textsThatAreNoModelsAreErrors() throws {
        let library = try LightGBM.load()
        #expect(throws: BoostingError.self) {
            try library.predict(text: Array("tree\nnothing".utf8), rows: [], raw: true)
        }
    }
}
