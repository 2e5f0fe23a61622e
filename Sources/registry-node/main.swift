print("frame")
