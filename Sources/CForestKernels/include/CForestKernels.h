#pragma once

#include "Scoring.h"
